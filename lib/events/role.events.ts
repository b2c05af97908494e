import { EventData, flatOrUnder, StringField } from './event-fields.js';
import { ScalekitEventBase } from './scalekit-event.base.js';

const IDENTITY = flatOrUnder(['role'], ['id', 'role_id', 'name', 'role_name']);

/** A role. */
export class RoleEventData {
  @StringField()
  readonly id?: string | null;

  /** The unique name used in code. */
  @StringField()
  readonly name?: string | null;

  @StringField()
  readonly display_name?: string | null;

  @StringField()
  readonly description?: string | null;

  /** The name of the role that this role extends. */
  @StringField()
  readonly extends?: string | null;
}

/** A role was created. */
export class RoleCreatedEvent extends ScalekitEventBase {
  override readonly type!: 'role.created';

  @EventData(() => RoleEventData, IDENTITY)
  readonly data!: RoleEventData;
}

/** A role was updated. */
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
