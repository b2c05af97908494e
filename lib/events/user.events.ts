import { EventData, flatOrUnder } from './event-data.decorator.js';
import { NestedField } from './event-field.decorators.js';
import { Organization } from './organization.data.js';
import { ScalekitEventBase } from './scalekit-event.base.js';
import { User } from './user.data.js';

const IDENTITY = flatOrUnder(['user'], ['id', 'user_id', 'email', 'external_id']);

/** A user, and the organization it came with. */
export class UserEventData {
  @NestedField(() => User)
  readonly user?: User | null;

  @NestedField(() => Organization)
  readonly organization?: Organization | null;
}

/** A user was created. */
export class UserCreatedEvent extends ScalekitEventBase {
  override readonly type!: 'user.created';

  @EventData(() => UserEventData, IDENTITY)
  readonly data!: UserEventData;
}

/** A user was changed. */
export class UserUpdatedEvent extends ScalekitEventBase {
  override readonly type!: 'user.updated';

  @EventData(() => UserEventData, IDENTITY)
  readonly data!: UserEventData;
}

/** A user was deleted. */
export class UserDeletedEvent extends ScalekitEventBase {
  override readonly type!: 'user.deleted';

  @EventData(() => UserEventData, IDENTITY)
  readonly data!: UserEventData;
}
