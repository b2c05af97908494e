import { createHash, randomUUID } from 'node:crypto';
import {
  checkOptions,
  describeValue,
  type OptionChecks,
  optional,
  refuseSetting,
  requireText,
} from '../errors/settings.js';
import { isScalekitEventType, type ScalekitEventMap, type ScalekitEventType } from '../events/catalog.js';
import type { UnknownScalekitEvent } from '../events/scalekit-event.base.js';
import type { UnlistedScalekitEventType } from '../events/scalekit-event.types.js';
import { hydrateEvent } from '../parse/validate-event.js';
import { SAMPLE_DATA as DATA } from './event-samples.data.js';

/** Options of {@link createScalekitEvent}. */
export interface CreateScalekitEventOptions {
  /**
   * The same seed and type make the same event, ids and times included. Events of different types with the same seed are
   * about the same organization, user and so on.
   * @default none: the ids are new each time, and the event happens now
   */
  readonly seed?: number | string;
}

/** Fields that replace those of the sample, except the type, which is the first argument. */
export type ScalekitEventOverrides<E> = DeepPartial<Omit<E, 'type'>>;

type DeepPartial<T> = T extends readonly unknown[]
  ? T
  : T extends object
    ? { readonly [K in keyof T]?: DeepPartial<T[K]> }
    : T;

const CHECKS: OptionChecks<CreateScalekitEventOptions> = { seed: optional(requireSeed) };

function requireSeed(setting: string, value: unknown): void {
  if (typeof value === 'string' || Number.isFinite(value)) return;
  refuseSetting(setting, `${setting} must be a finite number or a string, found ${describeValue(value)}.`);
}

const UNKNOWN_SAMPLE: EventSample = { object: 'Unknown', data: { id: 'obj_#' }, organization: true };
const FIRST_SECOND_OF_2025 = Date.UTC(2025, 0, 1) / 1000;
const SECONDS_IN_A_YEAR = 365n * 86_400n;

/**
 * Creates a valid event of any type with sample data, for your tests. It is the object that handlers receive, and
 * `JSON.stringify` turns it into the body of a delivery.
 *
 * @param overrides merged into the sample: objects field by field, arrays as a whole; `undefined` removes a field
 * @throws ScalekitWebhooksConfigurationError for an invalid type, overrides or option
 * @example createScalekitEvent('user.created', { data: { user: { email: 'new@example.com' } } }, { seed: 1 })
 */
export function createScalekitEvent<T extends ScalekitEventType>(
  type: T,
  overrides?: ScalekitEventOverrides<ScalekitEventMap[T]>,
  options?: CreateScalekitEventOptions,
): ScalekitEventMap[T];
export function createScalekitEvent(
  type: UnlistedScalekitEventType,
  overrides?: ScalekitEventOverrides<UnknownScalekitEvent>,
  options?: CreateScalekitEventOptions,
): UnknownScalekitEvent;
export function createScalekitEvent(
  type: string,
  overrides: object = {},
  options: CreateScalekitEventOptions = {},
): object {
  requireText('type', type);
  if (!isPlainObject(overrides)) {
    refuseSetting('overrides', `overrides must be a plain object, found ${describeValue(overrides)}.`);
  }
  const { seed } = checkOptions(options, CHECKS);
  const { object, data, organization } = isScalekitEventType(type) ? EVENT_SAMPLES[type] : UNKNOWN_SAMPLE;
  const seedText = String(seed ?? randomUUID());
  const occurredAt = seed === undefined ? new Date() : timeFor(seedText, type);
  const sample = {
    spec_version: '1',
    id: `evt_${digitsFor(seedText, type)}`,
    type,
    object,
    environment_id: 'env_#',
    ...(organization && { organization_id: 'org_#' }),
    occurred_at: occurredAt.toISOString(),
    data,
  };
  const event = mergeOverrides(fillObject(sample, seedText, occurredAt), overrides);
  // A copy, because hydrating changes objects, and those among the overrides belong to the caller.
  return hydrateEvent(JSON.parse(JSON.stringify({ ...event, type })));
}

/** Merges objects field by field. Any other value replaces the one in `base`, and `undefined` removes it. */
export function mergeOverrides(base: object, overrides: object): Record<string, unknown> {
  const merged = new Map<string, unknown>(Object.entries(base));
  for (const [name, value] of Object.entries(overrides)) {
    if (value === undefined) merged.delete(name);
    else merged.set(name, mergeValue(merged.get(name), value));
  }
  return Object.fromEntries(merged);
}

function mergeValue(base: unknown, override: unknown): unknown {
  return isPlainObject(base) && isPlainObject(override) ? mergeOverrides(base, override) : override;
}

function isPlainObject(value: unknown): value is object {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

/** 18 decimal digits, always the same for the same words. */
export function digitsFor(...words: readonly string[]): string {
  const digest = createHash('sha256').update(JSON.stringify(words)).digest();
  return String(digest.readBigUInt64BE() % 10n ** 18n).padStart(18, '0');
}

/** A time in 2025, always the same for the same seed and type. */
function timeFor(seed: string, type: string): Date {
  const offset = BigInt(digitsFor(seed, type, 'occurred_at')) % SECONDS_IN_A_YEAR;
  return new Date((FIRST_SECOND_OF_2025 + Number(offset)) * 1000);
}

/** A copy of a sample whose placeholders are filled in; `event-samples.data.ts` explains them. */
function fillObject(sample: object, seed: string, occurredAt: Date): object {
  return Object.fromEntries(
    Object.entries(sample).map(([name, value]) => [name, fillValue(value, seed, occurredAt)]),
  );
}

function fillValue(value: unknown, seed: string, occurredAt: Date): unknown {
  if (typeof value === 'string') return fillText(value, seed, occurredAt);
  if (Array.isArray(value)) return value.map((item) => fillValue(item, seed, occurredAt));
  return typeof value === 'object' && value !== null ? fillObject(value, seed, occurredAt) : value;
}

function fillText(text: string, seed: string, occurredAt: Date): string {
  if (!text.startsWith('@')) return text.replace('#', () => digitsFor(seed, text));
  return new Date(occurredAt.getTime() + Number(text.slice(1)) * 1000).toISOString();
}

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
