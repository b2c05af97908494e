import type { ScalekitEventType } from '../events/catalog.js';
import { SAMPLE_DATA as DATA } from './event-samples.data.js';

/** What a sample event contains besides its ids and times. */
export interface EventSample {
  readonly object: string;
  readonly data: object;
  /** Whether the event has an `organization_id`: role, permission and connected account events do not. */
  readonly organization: boolean;
}

/** One sample of each event type. */
export const EVENT_SAMPLES: { readonly [T in ScalekitEventType]: EventSample } = {
  'organization.created': sample('Organization', DATA.organization),
  'organization.updated': sample('Organization', DATA.organization),
  'organization.deleted': sample('Organization', DATA.deletedOrganization),
  'organization.domain_created': sample('Organization', DATA.domain),
  'organization.domain_deleted': sample('Organization', DATA.domain),
  'organization.domain_dns_verification_success': sample('Organization', {
    ...DATA.domain,
    verification_status: 'VERIFIED',
  }),
  'organization.domain_dns_verification_failed': sample('Organization', {
    ...DATA.domain,
    verification_status: 'FAILED',
  }),
  'user.created': sample('User', DATA.user),
  'user.updated': sample('User', DATA.user),
  'user.deleted': sample('User', DATA.user),
  'user.signup': sample('OrgMembership', DATA.orgMembership),
  'user.organization_invitation': sample('OrgMembership', DATA.orgMembership),
  'user.organization_membership_created': sample('OrgMembership', DATA.orgMembership),
  'user.organization_membership_updated': sample('OrgMembership', DATA.orgMembership),
  'user.organization_membership_deleted': sample('OrgMembership', DATA.orgMembership),
  'membership.created': sample('OrgMembership', DATA.membership),
  'membership.updated': sample('OrgMembership', DATA.membership),
  'membership.deleted': sample('OrgMembership', DATA.membership),
  'user.login': sample('User', DATA.userAuth),
  'user.logout': sample('User', DATA.userLogout),
  'session.created': sample('User', DATA.session),
  'session.expired': sample('User', DATA.expiredSession),
  'organization.directory_enabled': sample('Directory', DATA.directory),
  'organization.directory_disabled': sample('Directory', { ...DATA.directory, enabled: false }),
  'organization.directory_deleted': sample('Directory', { ...DATA.directory, enabled: false }),
  'organization.directory.user_created': sample('DirectoryUser', DATA.directoryUser),
  'organization.directory.user_updated': sample('DirectoryUser', DATA.directoryUser),
  'organization.directory.user_deleted': sample('DirectoryUser', { ...DATA.directoryUser, active: false }),
  'organization.directory.group_created': sample('DirectoryGroup', DATA.directoryGroup),
  'organization.directory.group_updated': sample('DirectoryGroup', DATA.directoryGroup),
  'organization.directory.group_deleted': sample('DirectoryGroup', DATA.directoryGroup),
  'organization.sso_created': sample('Connection', { ...DATA.connection, enabled: false, status: 'DRAFT' }),
  'organization.sso_enabled': sample('Connection', DATA.connection),
  'organization.sso_disabled': sample('Connection', { ...DATA.connection, enabled: false }),
  'organization.sso_deleted': sample('Connection', { ...DATA.connection, enabled: false }),
  'role.created': withoutOrganization('Role', DATA.role),
  'role.updated': withoutOrganization('Role', DATA.role),
  'role.deleted': withoutOrganization('Role', DATA.role),
  'permission.created': withoutOrganization('Permission', DATA.permission),
  'permission.updated': withoutOrganization('Permission', DATA.permission),
  'permission.deleted': withoutOrganization('Permission', DATA.permission),
  'connected_account.created': withoutOrganization('ConnectedAccount', DATA.connectedAccount),
  'connected_account.updated': withoutOrganization('ConnectedAccount', DATA.connectedAccount),
  'connected_account.status_updated': withoutOrganization('ConnectedAccount', DATA.connectedAccountStatus),
  'connected_account.deleted': withoutOrganization('ConnectedAccount', DATA.connectedAccount),
  'connected_account.magic_link_generated': withoutOrganization('ConnectedAccount', {
    ...DATA.connectedAccount,
    status: 'PENDING_AUTH',
  }),
  'connected_account.oauth_tokens_fetched': withoutOrganization('ConnectedAccount', DATA.connectedAccount),
  'connected_account.token_refresh_succeeded': withoutOrganization('ConnectedAccount', DATA.connectedAccount),
  'connected_account.token_refresh_failed': withoutOrganization('ConnectedAccount', {
    ...DATA.connectedAccount,
    status: 'EXPIRED',
  }),
  'connected_account.oauth_succeeded': withoutOrganization('ConnectedAccount', DATA.connectedAccount),
};

function sample(object: string, data: object): EventSample {
  return { object, data, organization: true };
}

function withoutOrganization(object: string, data: object): EventSample {
  return { object, data, organization: false };
}
