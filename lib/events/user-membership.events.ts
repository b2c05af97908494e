import { EventData, flatOrUnder, NestedField, StringField } from './event-fields.js';
import { Organization } from './organization.events.js';
import { ScalekitEventBase } from './scalekit-event.base.js';
import { User } from './user.events.js';

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
