import { EventData, flatOrUnder, StringField } from './event-fields.js';
import { ScalekitEventBase } from './scalekit-event.base.js';

const IDENTITY = flatOrUnder(['permission'], ['id', 'permission_id', 'name', 'permission_name']);

/** A permission. */
export class PermissionEventData {
  @StringField()
  readonly id?: string | null;

  /** The unique name used in code. */
  @StringField()
  readonly name?: string | null;

  @StringField()
  readonly description?: string | null;
}

/** A permission was created. */
export class PermissionCreatedEvent extends ScalekitEventBase {
  override readonly type!: 'permission.created';

  @EventData(() => PermissionEventData, IDENTITY)
  readonly data!: PermissionEventData;
}

/** A permission was updated. */
export class PermissionUpdatedEvent extends ScalekitEventBase {
  override readonly type!: 'permission.updated';

  @EventData(() => PermissionEventData, IDENTITY)
  readonly data!: PermissionEventData;
}

/** A permission was deleted. */
export class PermissionDeletedEvent extends ScalekitEventBase {
  override readonly type!: 'permission.deleted';

  @EventData(() => PermissionEventData, IDENTITY)
  readonly data!: PermissionEventData;
}
