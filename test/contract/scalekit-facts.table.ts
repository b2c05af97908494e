/** The type of a field: a JSON type, an object with documented fields, or a list of such objects. */
export type Fact = 'string' | 'boolean' | 'array' | 'object' | Facts | readonly [Facts];
export interface Facts {
  readonly [field: string]: Fact;
}

export interface EventFact {
  readonly dto: string;
  readonly data: Facts;
  /** The smallest values of `data` that identify what the event is about. */
  readonly identities: readonly object[];
}

interface FamilyFact extends Omit<EventFact, 'dto'> {
  /** Maps an event type to the name of its DTO without the suffix `Event`. */
  readonly types: Readonly<Record<string, string>>;
}

export function isList(fact: Facts | readonly [Facts]): fact is readonly [Facts] {
  return Array.isArray(fact);
}

function strings(names: string): Facts {
  return Object.fromEntries(names.split(' ').map((name) => [name, 'string']));
}

const organizationFields: Facts = {
  ...strings('id display_name external_id region_code create_time update_time'),
  metadata: 'object',
};
const organization: Facts = { ...organizationFields, settings: 'object' };
const user: Facts = {
  ...strings('id email first_name last_name external_id create_time update_time last_login_time'),
  metadata: 'object',
  user_profile: 'object',
};
const userSession: Facts = {
  ...strings('session_id user_id organization_id status created_at updated_at last_active_at'),
  ...strings('absolute_expires_at idle_expires_at expired_at logout_at'),
  authenticated_organizations: 'array',
  device: 'object',
};
const connectedAccount = strings(
  'id identifier connection_id connection_name provider authorization_type status',
);
const membership: Facts = { organization, user };
const userAuth: Facts = { user, user_session: userSession };

const id = { id: 'x_1' };
const ofUser = [{ user: id }, { user: { email: 'a@example.com' } }];

const FAMILIES: Readonly<Record<string, FamilyFact>> = {
  organization: {
    types: {
      'organization.created': 'OrganizationCreated',
      'organization.updated': 'OrganizationUpdated',
      'organization.deleted': 'OrganizationDeleted',
    },
    data: {
      ...organizationFields,
      deleted_at: 'string',
      settings: { features: [{ name: 'string', enabled: 'boolean' }] },
      organization,
    },
    identities: [id, { external_id: 'x' }, { organization: id }, { organization: { external_id: 'x' } }],
  },
  domain: {
    types: {
      'organization.domain_created': 'OrganizationDomainCreated',
      'organization.domain_deleted': 'OrganizationDomainDeleted',
      'organization.domain_dns_verification_success': 'OrganizationDomainDnsVerificationSuccess',
      'organization.domain_dns_verification_failed': 'OrganizationDomainDnsVerificationFailed',
    },
    data: strings(
      'id domain domain_type organization_id environment_id txt_record_key txt_record_secret ' +
        'verification_status verification_method updated_at',
    ),
    identities: [id, { domain: 'example.com' }],
  },
  orgMembership: {
    types: {
      'user.signup': 'UserSignup',
      'user.organization_invitation': 'UserOrganizationInvitation',
      'user.organization_membership_created': 'UserOrganizationMembershipCreated',
      'user.organization_membership_updated': 'UserOrganizationMembershipUpdated',
      'user.organization_membership_deleted': 'UserOrganizationMembershipDeleted',
    },
    data: membership,
    identities: [...ofUser, { organization: id }, { user_id: 'x' }],
  },
  membership: {
    types: {
      'membership.created': 'MembershipCreated',
      'membership.updated': 'MembershipUpdated',
      'membership.deleted': 'MembershipDeleted',
    },
    data: { ...membership, membership: strings('id user_id organization_id') },
    identities: [...ofUser, { membership: id }, { membership: { user_id: 'x' } }],
  },
  user: {
    types: {
      'user.created': 'UserCreated',
      'user.updated': 'UserUpdated',
      'user.deleted': 'UserDeleted',
    },
    data: { user, organization },
    identities: [...ofUser, id, { email: 'a@example.com' }],
  },
  userAuth: {
    types: {
      'user.login': 'UserLogin',
      'user.logout': 'UserLogout',
    },
    data: userAuth,
    identities: [...ofUser, { user_session: { session_id: 'x' } }, { user_session: { user_id: 'x' } }],
  },
  session: {
    types: {
      'session.created': 'SessionCreated',
      'session.expired': 'SessionExpired',
    },
    data: { ...userAuth, session: { id: 'string', ...userSession } },
    identities: [...ofUser, { session: id }, { user_session: { session_id: 'x' } }],
  },
  directory: {
    types: {
      'organization.directory_enabled': 'OrganizationDirectoryEnabled',
      'organization.directory_disabled': 'OrganizationDirectoryDisabled',
      'organization.directory_deleted': 'OrganizationDirectoryDeleted',
    },
    data: { ...strings('id organization_id directory_type provider updated_at'), enabled: 'boolean' },
    identities: [id, { organization_id: 'x' }, { directory: id }],
  },
  directoryUser: {
    types: {
      'organization.directory.user_created': 'DirectoryUserCreated',
      'organization.directory.user_updated': 'DirectoryUserUpdated',
      'organization.directory.user_deleted': 'DirectoryUserDeleted',
    },
    data: {
      ...strings('id user_id organization_id email given_name family_name name preferred_username dp_id'),
      ...strings('employee_id department cost_center division title user_type phone_number language locale'),
      ...strings('zoneinfo organization nickname profile picture'),
      active: 'boolean',
      groups: [strings('id name')],
      roles: [strings('role_name')],
      custom_attributes: 'object',
      raw_attributes: 'object',
      address: 'object',
    },
    identities: [id, { user_id: 'x' }, { email: 'x' }, { dp_id: 'x' }, { directory_user: id }, { user: id }],
  },
  directoryGroup: {
    types: {
      'organization.directory.group_created': 'DirectoryGroupCreated',
      'organization.directory.group_updated': 'DirectoryGroupUpdated',
      'organization.directory.group_deleted': 'DirectoryGroupDeleted',
    },
    data: {
      ...strings('id organization_id directory_id display_name external_id dp_id'),
      raw_attributes: 'object',
    },
    identities: [id, { display_name: 'x' }, { external_id: 'x' }, { directory_group: id }, { group: id }],
  },
  connection: {
    types: {
      'organization.sso_created': 'OrganizationSsoCreated',
      'organization.sso_enabled': 'OrganizationSsoEnabled',
      'organization.sso_disabled': 'OrganizationSsoDisabled',
      'organization.sso_deleted': 'OrganizationSsoDeleted',
    },
    data: { ...strings('id organization_id connection_type provider status'), enabled: 'boolean' },
    identities: [id, { connection_id: 'x' }, { connection: id }],
  },
  role: {
    types: {
      'role.created': 'RoleCreated',
      'role.updated': 'RoleUpdated',
      'role.deleted': 'RoleDeleted',
    },
    data: strings('id name display_name description extends'),
    identities: [id, { name: 'x' }, { role: id }],
  },
  permission: {
    types: {
      'permission.created': 'PermissionCreated',
      'permission.updated': 'PermissionUpdated',
      'permission.deleted': 'PermissionDeleted',
    },
    data: strings('id name description'),
    identities: [id, { name: 'x' }, { permission: { name: 'x' } }],
  },
  connectedAccount: {
    types: {
      'connected_account.created': 'ConnectedAccountCreated',
      'connected_account.updated': 'ConnectedAccountUpdated',
      'connected_account.deleted': 'ConnectedAccountDeleted',
      'connected_account.magic_link_generated': 'ConnectedAccountMagicLinkGenerated',
      'connected_account.oauth_tokens_fetched': 'ConnectedAccountOauthTokensFetched',
      'connected_account.token_refresh_succeeded': 'ConnectedAccountTokenRefreshSucceeded',
      'connected_account.token_refresh_failed': 'ConnectedAccountTokenRefreshFailed',
      'connected_account.oauth_succeeded': 'ConnectedAccountOauthSucceeded',
    },
    data: { ...connectedAccount, ...strings('token_expires_at last_used_at') },
    identities: [id, { identifier: 'x' }, { connected_account: id }],
  },
  connectedAccountStatus: {
    types: {
      'connected_account.status_updated': 'ConnectedAccountStatusUpdated',
    },
    data: { ...connectedAccount, old_status: 'string' },
    identities: [id, { identifier: 'x' }],
  },
};

/** What is known about Scalekit's events, written down independently of the DTOs. */
export const FACTS: ReadonlyMap<string, EventFact> = new Map(
  Object.values(FAMILIES).flatMap(({ types, ...fact }) =>
    Object.entries(types).map(([type, name]): [string, EventFact] => [
      type,
      { ...fact, dto: `${name}Event` },
    ]),
  ),
);

export const ENVELOPE_FACTS: Facts = strings(
  'id type occurred_at spec_version environment_id organization_id object display_name',
);
