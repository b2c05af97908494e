import type { ScalekitEventType } from '../events/catalog.js';
import { SAMPLE_DATA } from './event-samples.data.js';

/** What stands in a made-up event besides its ids and times. */
export interface EventSample {
  readonly object: string;
  readonly data: object;
  /** Events of some families concern no organization, and have none in their envelope. */
  readonly organization: boolean;
}

const D = SAMPLE_DATA;

function sample(object: string, data: object): EventSample {
  return { object, data, organization: true };
}

function withoutOrganization(object: string, data: object): EventSample {
  return { object, data, organization: false };
}

/** One made-up event of each type. */
export const EVENT_SAMPLES: { readonly [T in ScalekitEventType]: EventSample } = {
  'organization.created': sample('Organization', D.organization),
  'organization.updated': sample('Organization', D.organization),
  'organization.deleted': sample('Organization', D.deletedOrganization),
  'organization.domain_created': sample('Organization', D.domain),
  'organization.domain_deleted': sample('Organization', D.domain),
  'organization.domain_dns_verification_success': sample('Organization', {
    ...D.domain,
    verification_status: 'VERIFIED',
  }),
  'organization.domain_dns_verification_failed': sample('Organization', {
    ...D.domain,
    verification_status: 'FAILED',
  }),
  'user.created': sample('User', D.user),
  'user.updated': sample('User', D.user),
  'user.deleted': sample('User', D.user),
  'user.signup': sample('OrgMembership', D.orgMembership),
  'user.organization_invitation': sample('OrgMembership', D.orgMembership),
  'user.organization_membership_created': sample('OrgMembership', D.orgMembership),
  'user.organization_membership_updated': sample('OrgMembership', D.orgMembership),
  'user.organization_membership_deleted': sample('OrgMembership', D.orgMembership),
  'membership.created': sample('OrgMembership', D.membership),
  'membership.updated': sample('OrgMembership', D.membership),
  'membership.deleted': sample('OrgMembership', D.membership),
  'user.login': sample('User', D.userAuth),
  'user.logout': sample('User', D.userLogout),
  'session.created': sample('User', D.session),
  'session.expired': sample('User', D.expiredSession),
  'organization.directory_enabled': sample('Directory', D.directory),
  'organization.directory_disabled': sample('Directory', { ...D.directory, enabled: false }),
  'organization.directory_deleted': sample('Directory', { ...D.directory, enabled: false }),
  'organization.directory.user_created': sample('DirectoryUser', D.directoryUser),
  'organization.directory.user_updated': sample('DirectoryUser', D.directoryUser),
  'organization.directory.user_deleted': sample('DirectoryUser', { ...D.directoryUser, active: false }),
  'organization.directory.group_created': sample('DirectoryGroup', D.directoryGroup),
  'organization.directory.group_updated': sample('DirectoryGroup', D.directoryGroup),
  'organization.directory.group_deleted': sample('DirectoryGroup', D.directoryGroup),
  'organization.sso_created': sample('Connection', { ...D.connection, enabled: false, status: 'DRAFT' }),
  'organization.sso_enabled': sample('Connection', D.connection),
  'organization.sso_disabled': sample('Connection', { ...D.connection, enabled: false }),
  'organization.sso_deleted': sample('Connection', { ...D.connection, enabled: false }),
  'role.created': withoutOrganization('Role', D.role),
  'role.updated': withoutOrganization('Role', D.role),
  'role.deleted': withoutOrganization('Role', D.role),
  'permission.created': withoutOrganization('Permission', D.permission),
  'permission.updated': withoutOrganization('Permission', D.permission),
  'permission.deleted': withoutOrganization('Permission', D.permission),
  'connected_account.created': withoutOrganization('ConnectedAccount', D.connectedAccount),
  'connected_account.updated': withoutOrganization('ConnectedAccount', D.connectedAccount),
  'connected_account.status_updated': withoutOrganization('ConnectedAccount', D.connectedAccountStatus),
  'connected_account.deleted': withoutOrganization('ConnectedAccount', D.connectedAccount),
  'connected_account.magic_link_generated': withoutOrganization('ConnectedAccount', {
    ...D.connectedAccount,
    status: 'PENDING_AUTH',
  }),
  'connected_account.oauth_tokens_fetched': withoutOrganization('ConnectedAccount', D.connectedAccount),
  'connected_account.token_refresh_succeeded': withoutOrganization('ConnectedAccount', D.connectedAccount),
  'connected_account.token_refresh_failed': withoutOrganization('ConnectedAccount', {
    ...D.connectedAccount,
    status: 'EXPIRED',
  }),
  'connected_account.oauth_succeeded': withoutOrganization('ConnectedAccount', D.connectedAccount),
};
