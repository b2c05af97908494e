import {
  ConnectedAccountCreatedEvent,
  ConnectedAccountDeletedEvent,
  ConnectedAccountMagicLinkGeneratedEvent,
  ConnectedAccountOauthSucceededEvent,
  ConnectedAccountOauthTokensFetchedEvent,
  ConnectedAccountStatusUpdatedEvent,
  ConnectedAccountTokenRefreshFailedEvent,
  ConnectedAccountTokenRefreshSucceededEvent,
  ConnectedAccountUpdatedEvent,
} from './connected-account.events.js';
import {
  DirectoryGroupCreatedEvent,
  DirectoryGroupDeletedEvent,
  DirectoryGroupUpdatedEvent,
  DirectoryUserCreatedEvent,
  DirectoryUserDeletedEvent,
  DirectoryUserUpdatedEvent,
  OrganizationDirectoryDeletedEvent,
  OrganizationDirectoryDisabledEvent,
  OrganizationDirectoryEnabledEvent,
} from './directory.events.js';
import {
  OrganizationCreatedEvent,
  OrganizationDeletedEvent,
  OrganizationDomainCreatedEvent,
  OrganizationDomainDeletedEvent,
  OrganizationDomainDnsVerificationFailedEvent,
  OrganizationDomainDnsVerificationSuccessEvent,
  OrganizationSsoCreatedEvent,
  OrganizationSsoDeletedEvent,
  OrganizationSsoDisabledEvent,
  OrganizationSsoEnabledEvent,
  OrganizationUpdatedEvent,
} from './organization.events.js';
import {
  PermissionCreatedEvent,
  PermissionDeletedEvent,
  PermissionUpdatedEvent,
  RoleCreatedEvent,
  RoleDeletedEvent,
  RoleUpdatedEvent,
} from './role.events.js';
import type { DtoClass, ScalekitEventBase } from './scalekit-event.base.js';
import {
  MembershipCreatedEvent,
  MembershipDeletedEvent,
  MembershipUpdatedEvent,
  SessionCreatedEvent,
  SessionExpiredEvent,
  UserCreatedEvent,
  UserDeletedEvent,
  UserLoginEvent,
  UserLogoutEvent,
  UserOrganizationInvitationEvent,
  UserOrganizationMembershipCreatedEvent,
  UserOrganizationMembershipDeletedEvent,
  UserOrganizationMembershipUpdatedEvent,
  UserSignupEvent,
  UserUpdatedEvent,
} from './user.events.js';

/** The catalog: every known event type and its DTO class. */
export const SCALEKIT_EVENTS = Object.freeze({
  'organization.created': OrganizationCreatedEvent,
  'organization.updated': OrganizationUpdatedEvent,
  'organization.deleted': OrganizationDeletedEvent,
  'organization.domain_created': OrganizationDomainCreatedEvent,
  'organization.domain_deleted': OrganizationDomainDeletedEvent,
  'organization.domain_dns_verification_success': OrganizationDomainDnsVerificationSuccessEvent,
  'organization.domain_dns_verification_failed': OrganizationDomainDnsVerificationFailedEvent,
  'user.created': UserCreatedEvent,
  'user.updated': UserUpdatedEvent,
  'user.deleted': UserDeletedEvent,
  'user.signup': UserSignupEvent,
  'user.organization_invitation': UserOrganizationInvitationEvent,
  'user.organization_membership_created': UserOrganizationMembershipCreatedEvent,
  'user.organization_membership_updated': UserOrganizationMembershipUpdatedEvent,
  'user.organization_membership_deleted': UserOrganizationMembershipDeletedEvent,
  'membership.created': MembershipCreatedEvent,
  'membership.updated': MembershipUpdatedEvent,
  'membership.deleted': MembershipDeletedEvent,
  'user.login': UserLoginEvent,
  'user.logout': UserLogoutEvent,
  'session.created': SessionCreatedEvent,
  'session.expired': SessionExpiredEvent,
  'organization.directory_enabled': OrganizationDirectoryEnabledEvent,
  'organization.directory_disabled': OrganizationDirectoryDisabledEvent,
  'organization.directory_deleted': OrganizationDirectoryDeletedEvent,
  'organization.directory.user_created': DirectoryUserCreatedEvent,
  'organization.directory.user_updated': DirectoryUserUpdatedEvent,
  'organization.directory.user_deleted': DirectoryUserDeletedEvent,
  'organization.directory.group_created': DirectoryGroupCreatedEvent,
  'organization.directory.group_updated': DirectoryGroupUpdatedEvent,
  'organization.directory.group_deleted': DirectoryGroupDeletedEvent,
  'organization.sso_created': OrganizationSsoCreatedEvent,
  'organization.sso_enabled': OrganizationSsoEnabledEvent,
  'organization.sso_disabled': OrganizationSsoDisabledEvent,
  'organization.sso_deleted': OrganizationSsoDeletedEvent,
  'role.created': RoleCreatedEvent,
  'role.updated': RoleUpdatedEvent,
  'role.deleted': RoleDeletedEvent,
  'permission.created': PermissionCreatedEvent,
  'permission.updated': PermissionUpdatedEvent,
  'permission.deleted': PermissionDeletedEvent,
  'connected_account.created': ConnectedAccountCreatedEvent,
  'connected_account.updated': ConnectedAccountUpdatedEvent,
  'connected_account.status_updated': ConnectedAccountStatusUpdatedEvent,
  'connected_account.deleted': ConnectedAccountDeletedEvent,
  'connected_account.magic_link_generated': ConnectedAccountMagicLinkGeneratedEvent,
  'connected_account.oauth_tokens_fetched': ConnectedAccountOauthTokensFetchedEvent,
  'connected_account.token_refresh_succeeded': ConnectedAccountTokenRefreshSucceededEvent,
  'connected_account.token_refresh_failed': ConnectedAccountTokenRefreshFailedEvent,
  'connected_account.oauth_succeeded': ConnectedAccountOauthSucceededEvent,
} as const satisfies Record<string, DtoClass<ScalekitEventBase>>);

/** A known event type. */
export type ScalekitEventType = keyof typeof SCALEKIT_EVENTS;

/** Maps each known event type to its DTO. */
export type ScalekitEventMap = {
  readonly [T in ScalekitEventType]: InstanceType<(typeof SCALEKIT_EVENTS)[T]>;
};

/** Any known event. A `switch` on `type` narrows it to a DTO. */
export type KnownScalekitEvent = ScalekitEventMap[ScalekitEventType];

/** Whether this version of the library knows an event type. */
export function isScalekitEventType(type: string): type is ScalekitEventType {
  return Object.hasOwn(SCALEKIT_EVENTS, type);
}

/** All event types that this version of the library knows. */
export const SCALEKIT_EVENT_TYPES: readonly ScalekitEventType[] = Object.freeze(
  Object.keys(SCALEKIT_EVENTS).filter(isScalekitEventType),
);
