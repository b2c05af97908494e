import { EventData, flatOrUnder, NestedField, StringField } from './event-fields.js';
import { ScalekitEventBase } from './scalekit-event.base.js';
import { User, UserSession } from './user.events.js';

const IDENTITY = flatOrUnder(
  ['user', 'user_session', 'session'],
  ['id', 'user_id', 'session_id', 'email', 'external_id'],
);

/** A user and the session that began or ended. */
export class UserAuthEventData {
  @NestedField(() => User)
  readonly user?: User | null;

  @NestedField(() => UserSession)
  readonly user_session?: UserSession | null;
}

/** A user signed in. */
export class UserLoginEvent extends ScalekitEventBase {
  override readonly type!: 'user.login';

  @EventData(() => UserAuthEventData, IDENTITY)
  readonly data!: UserAuthEventData;
}

/** A user signed out. */
export class UserLogoutEvent extends ScalekitEventBase {
  override readonly type!: 'user.logout';

  @EventData(() => UserAuthEventData, IDENTITY)
  readonly data!: UserAuthEventData;
}

/** A session under the guide’s name. */
export class Session extends UserSession {
  /** The session, where it is not in `session_id`. */
  @StringField()
  readonly id?: string | null;
}

/** A session: in `session`, or in the `user_session` that sign-ins have. */
export class SessionEventData extends UserAuthEventData {
  @NestedField(() => Session)
  readonly session?: Session | null;
}

/** A session began. */
export class SessionCreatedEvent extends ScalekitEventBase {
  override readonly type!: 'session.created';

  @EventData(() => SessionEventData, IDENTITY)
  readonly data!: SessionEventData;
}

/** A session ran out. */
export class SessionExpiredEvent extends ScalekitEventBase {
  override readonly type!: 'session.expired';

  @EventData(() => SessionEventData, IDENTITY)
  readonly data!: SessionEventData;
}
