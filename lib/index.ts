export type { ScalekitEventContext } from './dispatch/event-handler.js';
export type {
  EventTransport,
  HandlerBatch,
  HandlerRetries,
  HandlerRun,
  QueuedAttempt,
  QueuedRun,
  QueuedRunEnd,
  QueuedRunner,
} from './dispatch/event-transport.js';
export { SCALEKIT_CONTEXT_TYPE } from './dispatch/handler.invoker.js';
export type { HandlerReport, HandlerReportState } from './dispatch/handler-report.js';
export { OnScalekitEvent, type OnScalekitEventOptions } from './dispatch/on-scalekit-event.decorator.js';
export type { DispatchResult } from './dispatch/received-event.js';
export type { ScalekitDelivery } from './dispatch/scalekit-delivery.js';
export { ScalekitEventDispatcher } from './dispatch/scalekit-event.dispatcher.js';
export { ScalekitWebhooksConfigurationError } from './errors/configuration.error.js';
export { HandlerDeclarationError } from './errors/handler-declaration.error.js';
export { InboxReplayError, type InboxReplayErrorCode } from './errors/inbox-replay.error.js';
export { InvalidEventError, type InvalidEventErrorCode } from './errors/invalid-event.error.js';
export { LeaseLostError } from './errors/lease-lost.error.js';
export { NonRetryableEventError } from './errors/non-retryable-event.error.js';
export { ScalekitWebhooksError } from './errors/scalekit-webhooks.error.js';
export {
  WebhookVerificationError,
  type WebhookVerificationErrorCode,
} from './errors/webhook-verification.error.js';
export {
  type KnownScalekitEvent,
  SCALEKIT_EVENT_TYPES,
  type ScalekitEventMap,
  type ScalekitEventType,
} from './events/catalog.js';
export {
  ConnectedAccountCreatedEvent,
  ConnectedAccountDeletedEvent,
  ConnectedAccountEventData,
  ConnectedAccountMagicLinkGeneratedEvent,
  ConnectedAccountOauthSucceededEvent,
  ConnectedAccountOauthTokensFetchedEvent,
  ConnectedAccountStatusUpdatedEvent,
  ConnectedAccountStatusUpdatedEventData,
  ConnectedAccountTokenRefreshFailedEvent,
  ConnectedAccountTokenRefreshSucceededEvent,
  ConnectedAccountUpdatedEvent,
} from './events/connected-account.events.js';
export {
  DirectoryEventData,
  OrganizationDirectoryDeletedEvent,
  OrganizationDirectoryDisabledEvent,
  OrganizationDirectoryEnabledEvent,
} from './events/directory.events.js';
export {
  DirectoryGroupCreatedEvent,
  DirectoryGroupDeletedEvent,
  DirectoryGroupEventData,
  DirectoryGroupUpdatedEvent,
} from './events/directory-group.events.js';
export {
  DirectoryUserCreatedEvent,
  DirectoryUserDeletedEvent,
  DirectoryUserEventData,
  DirectoryUserGroup,
  DirectoryUserRole,
  DirectoryUserUpdatedEvent,
} from './events/directory-user.events.js';
export { isKnownScalekitEvent } from './events/is-known-scalekit-event.js';
export {
  Organization,
  OrganizationFeature,
  OrganizationSettings,
} from './events/organization.data.js';
export {
  OrganizationCreatedEvent,
  OrganizationDeletedEvent,
  OrganizationEventData,
  OrganizationUpdatedEvent,
} from './events/organization.events.js';
export {
  OrganizationDomainCreatedEvent,
  OrganizationDomainDeletedEvent,
  OrganizationDomainDnsVerificationFailedEvent,
  OrganizationDomainDnsVerificationSuccessEvent,
  OrganizationDomainEventData,
} from './events/organization-domain.events.js';
export {
  PermissionCreatedEvent,
  PermissionDeletedEvent,
  PermissionEventData,
  PermissionUpdatedEvent,
} from './events/permission.events.js';
export {
  RoleCreatedEvent,
  RoleDeletedEvent,
  RoleEventData,
  RoleUpdatedEvent,
} from './events/role.events.js';
export type { ScalekitEvent, ScalekitEventPattern } from './events/scalekit-event.types.js';
export {
  ConnectionEventData,
  OrganizationSsoCreatedEvent,
  OrganizationSsoDeletedEvent,
  OrganizationSsoDisabledEvent,
  OrganizationSsoEnabledEvent,
} from './events/sso-connection.events.js';
export { UnknownScalekitEvent } from './events/unknown.event.js';
export { type UnlistedScalekitEventType, unlistedScalekitEvent } from './events/unlisted-event.js';
export {
  User,
  UserSession,
} from './events/user.data.js';
export {
  UserCreatedEvent,
  UserDeletedEvent,
  UserEventData,
  UserUpdatedEvent,
} from './events/user.events.js';
export {
  Membership,
  MembershipCreatedEvent,
  MembershipDeletedEvent,
  MembershipEventData,
  MembershipUpdatedEvent,
  OrgMembershipEventData,
  UserOrganizationInvitationEvent,
  UserOrganizationMembershipCreatedEvent,
  UserOrganizationMembershipDeletedEvent,
  UserOrganizationMembershipUpdatedEvent,
  UserSignupEvent,
} from './events/user-membership.events.js';
export {
  Session,
  SessionCreatedEvent,
  SessionEventData,
  SessionExpiredEvent,
  UserAuthEventData,
  UserLoginEvent,
  UserLogoutEvent,
} from './events/user-session.events.js';
export type {
  HandlerError,
  HandlerRow,
  HandlerRowState,
  InboxEntry,
  InboxEvent,
  InboxKey,
} from './inbox/inbox-entry.js';
export type {
  HandlerClaim,
  HandlerSettlement,
  InboxFilter,
  InboxLease,
  InboxPage,
  InboxPageRequest,
  InboxStore,
} from './inbox/inbox-store.js';
export { type MemoryInboxOptions, MemoryInboxStore } from './inbox/memory-inbox.store.js';
export { ScalekitInbox } from './inbox/scalekit-inbox.js';
export type { ReplayCounts, ReplayOptions, ScalekitInboxFilter } from './inbox/scalekit-inbox.options.js';
export type { EventIssue } from './parse/event-issue.js';
export type { ValidationMode } from './parse/validation-mode.js';
export type { Outcome } from './respond/outcome.js';
export { scalekitWebhooksConfig } from './scalekit-webhooks.config.js';
export { ScalekitWebhooksModule } from './scalekit-webhooks.module.js';
export type {
  ScalekitWebhooksEndpointOptions,
  ScalekitWebhooksOptions,
  ScalekitWebhooksOptionsFactory,
} from './scalekit-webhooks.options.js';
export type { WebhookHeaders } from './verify/signature-headers.js';
export type { SignatureScheme } from './verify/signature-scheme.js';
export { parseSigningSecret, type SigningSecret } from './verify/signing-secret.js';
export type {
  SigningSecretRequest,
  SigningSecretResolver,
  SigningSecretSetting,
} from './verify/signing-secret.setting.js';
export { verifyWebhookSignature } from './verify/verify-signature.js';
export type {
  SigningSecretInput,
  VerifiedSignature,
  VerifyWebhookSignatureOptions,
} from './verify/verify-signature.options.js';
export type { WebhookVerifier, WebhookVerifierInput } from './verify/webhook-verifier.js';
