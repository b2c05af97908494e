import { EventData, flatOrUnder, ScalekitEventBase, StringField } from './scalekit-event.base.js';

const ROLE_IDENTITY = flatOrUnder(['role'], ['id', 'role_id', 'name', 'role_name']);

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

  @EventData(() => RoleEventData, ROLE_IDENTITY)
  readonly data!: RoleEventData;
}

/** A role was updated. */
export class RoleUpdatedEvent extends ScalekitEventBase {
  override readonly type!: 'role.updated';

  @EventData(() => RoleEventData, ROLE_IDENTITY)
  readonly data!: RoleEventData;
}

/** A role was deleted. */
export class RoleDeletedEvent extends ScalekitEventBase {
  override readonly type!: 'role.deleted';

  @EventData(() => RoleEventData, ROLE_IDENTITY)
  readonly data!: RoleEventData;
}

const PERMISSION_IDENTITY = flatOrUnder(['permission'], ['id', 'permission_id', 'name', 'permission_name']);

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

  @EventData(() => PermissionEventData, PERMISSION_IDENTITY)
  readonly data!: PermissionEventData;
}

/** A permission was updated. */
export class PermissionUpdatedEvent extends ScalekitEventBase {
  override readonly type!: 'permission.updated';

  @EventData(() => PermissionEventData, PERMISSION_IDENTITY)
  readonly data!: PermissionEventData;
}

/** A permission was deleted. */
export class PermissionDeletedEvent extends ScalekitEventBase {
  override readonly type!: 'permission.deleted';

  @EventData(() => PermissionEventData, PERMISSION_IDENTITY)
  readonly data!: PermissionEventData;
}
