import { EventData, flatOrUnder, StringField } from './event-fields.js';
import { ScalekitEventBase } from './scalekit-event.base.js';

const IDENTITY = flatOrUnder(['role'], ['id', 'role_id', 'name', 'role_name']);

/** A role. */
export class RoleEventData {
  @StringField()
  readonly id?: string | null;

  /** The name by which programs refer to it. */
  @StringField()
  readonly name?: string | null;

  @StringField()
  readonly display_name?: string | null;

  @StringField()
  readonly description?: string | null;

  /** The name of the role that it builds upon. */
  @StringField()
  readonly extends?: string | null;
}

/** A role was created. */
export class RoleCreatedEvent extends ScalekitEventBase {
  override readonly type!: 'role.created';

  @EventData(() => RoleEventData, IDENTITY)
  readonly data!: RoleEventData;
}

/** A role was changed. */
export class RoleUpdatedEvent extends ScalekitEventBase {
  override readonly type!: 'role.updated';

  @EventData(() => RoleEventData, IDENTITY)
  readonly data!: RoleEventData;
}

/** A role was deleted. */
export class RoleDeletedEvent extends ScalekitEventBase {
  override readonly type!: 'role.deleted';

  @EventData(() => RoleEventData, IDENTITY)
  readonly data!: RoleEventData;
}
