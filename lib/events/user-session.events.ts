import { EventData, flatOrUnder, NestedField, StringField } from './event-fields.js';
import { ScalekitEventBase } from './scalekit-event.base.js';
import { User, UserSession } from './user.events.js';

const IDENTITY = flatOrUnder(
  ['user', 'user_session', 'session'],
  ['id', 'user_id', 'session_id', 'email', 'external_id'],
);

/** A user and the session that started or ended. */
export class UserAuthEventData {
  @NestedField(() => User)
  readonly user?: User | null;

  @NestedField(() => UserSession)
  readonly user_session?: UserSession | null;
}

/** A user logged in. */
export class UserLoginEvent extends ScalekitEventBase {
  override readonly type!: 'user.login';

  @EventData(() => UserAuthEventData, IDENTITY)
  readonly data!: UserAuthEventData;
}

/** A user logged out. */
export class UserLogoutEvent extends ScalekitEventBase {
  override readonly type!: 'user.logout';

  @EventData(() => UserAuthEventData, IDENTITY)
  readonly data!: UserAuthEventData;
}

/** A session, as in Scalekit's guide. */
export class Session extends UserSession {
  /** The session id, if it is not in `session_id`. */
  @StringField()
  readonly id?: string | null;
}

/** A session: in `session`, or in `user_session` as for logins. */
export class SessionEventData extends UserAuthEventData {
  @NestedField(() => Session)
  readonly session?: Session | null;
}

/** A session was created. */
export class SessionCreatedEvent extends ScalekitEventBase {
  override readonly type!: 'session.created';

  @EventData(() => SessionEventData, IDENTITY)
  readonly data!: SessionEventData;
}

/** A session expired. */
export class SessionExpiredEvent extends ScalekitEventBase {
  override readonly type!: 'session.expired';

  @EventData(() => SessionEventData, IDENTITY)
  readonly data!: SessionEventData;
}
