import { Organization } from './organization.events.js';
import {
  ArrayField,
  EventData,
  flatOrUnder,
  NestedField,
  ObjectField,
  ScalekitEventBase,
  StringField,
} from './scalekit-event.base.js';

/** A user nested in the data of an event. */
export class User {
  /** `usr_…` */
  @StringField()
  readonly id?: string | null;

  @StringField()
  readonly email?: string | null;

  @StringField()
  readonly first_name?: string | null;

  @StringField()
  readonly last_name?: string | null;

  @StringField()
  readonly external_id?: string | null;

  @StringField()
  readonly create_time?: string | null;

  @StringField()
  readonly update_time?: string | null;

  @StringField()
  readonly last_login_time?: string | null;

  @ObjectField()
  readonly metadata?: Record<string, unknown> | null;

  @ObjectField()
  readonly user_profile?: Record<string, unknown> | null;
}

/** A session of a user. */
export class UserSession {
  /** `ses_…` */
  @StringField()
  readonly session_id?: string | null;

  @StringField()
  readonly user_id?: string | null;

  @StringField()
  readonly organization_id?: string | null;

  @StringField()
  readonly status?: string | null;

  @StringField()
  readonly created_at?: string | null;

  @StringField()
  readonly updated_at?: string | null;

  @StringField()
  readonly last_active_at?: string | null;

  @StringField()
  readonly absolute_expires_at?: string | null;

  @StringField()
  readonly idle_expires_at?: string | null;

  @StringField()
  readonly expired_at?: string | null;

  @StringField()
  readonly logout_at?: string | null;

  @ArrayField()
  readonly authenticated_organizations?: readonly string[] | null;

  @ObjectField()
  readonly device?: Record<string, unknown> | null;
}

const USER_IDENTITY = flatOrUnder(['user'], ['id', 'user_id', 'email', 'external_id']);

/** A user, and possibly the user's organization. */
export class UserEventData {
  @NestedField(() => User)
  readonly user?: User | null;

  @NestedField(() => Organization)
  readonly organization?: Organization | null;
}

/** A user was created. */
export class UserCreatedEvent extends ScalekitEventBase {
  override readonly type!: 'user.created';

  @EventData(() => UserEventData, USER_IDENTITY)
  readonly data!: UserEventData;
}

/** A user was updated. */
export class UserUpdatedEvent extends ScalekitEventBase {
  override readonly type!: 'user.updated';

  @EventData(() => UserEventData, USER_IDENTITY)
  readonly data!: UserEventData;
}

/** A user was deleted. */
export class UserDeletedEvent extends ScalekitEventBase {
  override readonly type!: 'user.deleted';

  @EventData(() => UserEventData, USER_IDENTITY)
  readonly data!: UserEventData;
}

const SESSION_IDENTITY = flatOrUnder(
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

  @EventData(() => UserAuthEventData, SESSION_IDENTITY)
  readonly data!: UserAuthEventData;
}

/** A user logged out. */
export class UserLogoutEvent extends ScalekitEventBase {
  override readonly type!: 'user.logout';

  @EventData(() => UserAuthEventData, SESSION_IDENTITY)
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

  @EventData(() => SessionEventData, SESSION_IDENTITY)
  readonly data!: SessionEventData;
}

/** A session expired. */
export class SessionExpiredEvent extends ScalekitEventBase {
  override readonly type!: 'session.expired';

  @EventData(() => SessionEventData, SESSION_IDENTITY)
  readonly data!: SessionEventData;
}

const IDENTITY = [
  ...flatOrUnder(
    ['user', 'membership', 'org_membership'],
    ['id', 'user_id', 'email', 'external_id', 'organization_id'],
  ),
  'organization.id',
  'organization.external_id',
  'membership.user.id',
  'membership.user.email',
];

/** A user and the organization that the user belongs to or is invited to. */
export class OrgMembershipEventData {
  @NestedField(() => Organization)
  readonly organization?: Organization | null;

  @NestedField(() => User)
  readonly user?: User | null;
}

/** A user signed up. */
export class UserSignupEvent extends ScalekitEventBase {
  override readonly type!: 'user.signup';

  @EventData(() => OrgMembershipEventData, IDENTITY)
  readonly data!: OrgMembershipEventData;
}

/** A user was invited to an organization. */
export class UserOrganizationInvitationEvent extends ScalekitEventBase {
  override readonly type!: 'user.organization_invitation';

  @EventData(() => OrgMembershipEventData, IDENTITY)
  readonly data!: OrgMembershipEventData;
}

/** A user became a member of an organization. */
export class UserOrganizationMembershipCreatedEvent extends ScalekitEventBase {
  override readonly type!: 'user.organization_membership_created';

  @EventData(() => OrgMembershipEventData, IDENTITY)
  readonly data!: OrgMembershipEventData;
}

/** A membership was updated. */
export class UserOrganizationMembershipUpdatedEvent extends ScalekitEventBase {
  override readonly type!: 'user.organization_membership_updated';

  @EventData(() => OrgMembershipEventData, IDENTITY)
  readonly data!: OrgMembershipEventData;
}

/** A membership was deleted. */
export class UserOrganizationMembershipDeletedEvent extends ScalekitEventBase {
  override readonly type!: 'user.organization_membership_deleted';

  @EventData(() => OrgMembershipEventData, IDENTITY)
  readonly data!: OrgMembershipEventData;
}

/** A membership. Scalekit's guide does not list its fields; these identify its user and organization. */
export class Membership {
  @StringField()
  readonly id?: string | null;

  @StringField()
  readonly user_id?: string | null;

  @StringField()
  readonly organization_id?: string | null;
}

/** A membership as in Scalekit's guide, or its user and organization. */
export class MembershipEventData extends OrgMembershipEventData {
  @NestedField(() => Membership)
  readonly membership?: Membership | null;
}

/** A user became a member of an organization. The type is from Scalekit's guide. */
export class MembershipCreatedEvent extends ScalekitEventBase {
  override readonly type!: 'membership.created';

  @EventData(() => MembershipEventData, IDENTITY)
  readonly data!: MembershipEventData;
}

/** A membership was updated. The type is from Scalekit's guide. */
export class MembershipUpdatedEvent extends ScalekitEventBase {
  override readonly type!: 'membership.updated';

  @EventData(() => MembershipEventData, IDENTITY)
  readonly data!: MembershipEventData;
}

/** A membership was deleted. The type is from Scalekit's guide. */
export class MembershipDeletedEvent extends ScalekitEventBase {
  override readonly type!: 'membership.deleted';

  @EventData(() => MembershipEventData, IDENTITY)
  readonly data!: MembershipEventData;
}
