// The module and its options

export type { ValidationMode } from './parse/parse-event.js';
export type {
  SigningSecretRequest,
  SigningSecretResolver,
  SigningSecretSetting,
  WebhookVerifier,
  WebhookVerifierInput,
} from './receive/receive.options.js';
export type { Outcome } from './respond/outcome.js';
export {
  getScalekitDispatcherToken,
  getScalekitInboxToken,
  InjectScalekitDispatcher,
  InjectScalekitInbox,
  SCALEKIT_WEBHOOKS_OPTIONS,
} from './scalekit-webhooks.injection.js';
export { ScalekitWebhooksModule } from './scalekit-webhooks.module.js';
export type {
  ScalekitWebhooksEndpointOptions,
  ScalekitWebhooksOptions,
  ScalekitWebhooksOptionsFactory,
} from './scalekit-webhooks.options.js';
export { scalekitWebhooksConfig } from './scalekit-webhooks.resolve-options.js';

// Handlers

export { SCALEKIT_CONTEXT_TYPE } from './dispatch/handler.invoker.js';
export type { EventOrder, ScalekitEventContext } from './dispatch/handler.registry.js';
export type { OnScalekitEventOptions } from './dispatch/on-scalekit-event.decorator.js';
export { OnScalekitEvent } from './dispatch/on-scalekit-event.decorator.js';
export type { ScalekitDelivery } from './dispatch/scalekit-delivery.js';

// Dispatching and replaying events

export type { DispatchResult, HandlerReport, HandlerReportState } from './dispatch/received-event.js';
export { ScalekitEventDispatcher } from './dispatch/scalekit-event.dispatcher.js';
export { ScalekitInbox, type ScalekitInboxFilter } from './replay/scalekit-inbox.js';
export type { ReplayCounts, ReplayOptions } from './replay/stored-events.js';

// Observing

export type {
  ObservedAttempt,
  ObservedDelivery,
  ObservedEvent,
  ObservedInbox,
  ObservedRecovery,
  ObservedRun,
  RunFault,
  ScalekitWebhooksObserver,
} from './dispatch/observers.js';
export { ScalekitObserver } from './dispatch/on-scalekit-event.decorator.js';

// Inbox stores and transports

export { InboxTransport, type InboxTransportOptions } from './background/inbox.transport.js';
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
export type {
  InboxEncryption,
  InboxEncryptionKey,
  MemoryInboxOptions,
  RedactedEvent,
} from './inbox/inbox-options.js';
export type {
  ErasureTarget,
  InboxEntry,
  InboxErasure,
  InboxFilter,
  InboxKey,
  InboxPage,
  InboxPageRequest,
  InboxRun,
  InboxRunCount,
  RunError,
  RunNote,
  RunState,
} from './inbox/inbox-queries.js';
export type {
  Admission,
  InboxDelivery,
  InboxEntity,
  InboxEvent,
  InboxLease,
  InboxStore,
  InboxTransaction,
  InboxWarningReporter,
  RunClaim,
  RunSettlement,
} from './inbox/inbox-store.js';
export type {
  DueRequest,
  DueRun,
  DueRuns,
  InboxEncryptionStore,
  InboxRecoveryStore,
  InboxWorkStore,
  OrderPlace,
  RecoveryStart,
  ReencryptedPage,
} from './inbox/inbox-work.js';
export { MemoryInboxStore } from './inbox/memory-inbox.store.js';

// Verifying signatures without the module

export type { SignatureScheme, WebhookHeaders } from './verify/signature-headers.js';
export { parseSigningSecret, type SigningSecret } from './verify/signing-secret.js';
export {
  type SigningSecretInput,
  type VerifiedSignature,
  type VerifyWebhookSignatureOptions,
  verifyWebhookSignature,
} from './verify/verify-signature.js';

// Errors

export {
  type EventIssue,
  HandlerDeclarationError,
  InboxReplayError,
  type InboxReplayErrorCode,
  InboxTimeoutError,
  InboxUnusableError,
  InvalidEventError,
  type InvalidEventErrorCode,
  LeaseLostError,
  NonRetryableEventError,
  PayloadErasedError,
  PayloadUnreadableError,
  RedactionFailedError,
  ScalekitWebhooksConfigurationError,
  ScalekitWebhooksError,
  TransactionNotCommittedError,
  TransactionTimeoutError,
  WebhookVerificationError,
  type WebhookVerificationErrorCode,
} from './errors/errors.js';

// Events of the Events API

export { toWebhookEvent } from './parse/webhook-event.js';

// Events: types

export {
  type KnownScalekitEvent,
  SCALEKIT_EVENT_TYPES,
  type ScalekitEventMap,
  type ScalekitEventType,
} from './events/catalog.js';
export { scalekitEventEntity } from './events/event-entity.js';
export { UnknownScalekitEvent } from './events/scalekit-event.base.js';
export {
  isKnownScalekitEvent,
  type ScalekitEvent,
  type ScalekitEventPattern,
  type UnlistedScalekitEventType,
  unlistedScalekitEvent,
} from './events/scalekit-event.types.js';

// Events: one class per type, and the classes of their data

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
  DirectoryGroupCreatedEvent,
  DirectoryGroupDeletedEvent,
  DirectoryGroupEventData,
  DirectoryGroupUpdatedEvent,
  DirectoryUserCreatedEvent,
  DirectoryUserDeletedEvent,
  DirectoryUserEventData,
  DirectoryUserGroup,
  DirectoryUserRole,
  DirectoryUserUpdatedEvent,
  OrganizationDirectoryDeletedEvent,
  OrganizationDirectoryDisabledEvent,
  OrganizationDirectoryEnabledEvent,
} from './events/directory.events.js';
export {
  ConnectionEventData,
  Organization,
  OrganizationCreatedEvent,
  OrganizationDeletedEvent,
  OrganizationDomainCreatedEvent,
  OrganizationDomainDeletedEvent,
  OrganizationDomainDnsVerificationFailedEvent,
  OrganizationDomainDnsVerificationSuccessEvent,
  OrganizationDomainEventData,
  OrganizationEventData,
  OrganizationFeature,
  OrganizationSettings,
  OrganizationSsoCreatedEvent,
  OrganizationSsoDeletedEvent,
  OrganizationSsoDisabledEvent,
  OrganizationSsoEnabledEvent,
  OrganizationUpdatedEvent,
} from './events/organization.events.js';
export {
  PermissionCreatedEvent,
  PermissionDeletedEvent,
  PermissionEventData,
  PermissionUpdatedEvent,
  RoleCreatedEvent,
  RoleDeletedEvent,
  RoleEventData,
  RoleUpdatedEvent,
} from './events/role.events.js';
export {
  Membership,
  MembershipCreatedEvent,
  MembershipDeletedEvent,
  MembershipEventData,
  MembershipUpdatedEvent,
  OrgMembershipEventData,
  Session,
  SessionCreatedEvent,
  SessionEventData,
  SessionExpiredEvent,
  User,
  UserAuthEventData,
  UserCreatedEvent,
  UserDeletedEvent,
  UserEventData,
  UserLoginEvent,
  UserLogoutEvent,
  UserOrganizationInvitationEvent,
  UserOrganizationMembershipCreatedEvent,
  UserOrganizationMembershipDeletedEvent,
  UserOrganizationMembershipUpdatedEvent,
  UserSession,
  UserSignupEvent,
  UserUpdatedEvent,
} from './events/user.events.js';
