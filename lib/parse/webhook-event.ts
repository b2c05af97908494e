import { isJsonObject } from './validate-event.js';

/**
 * The names of the kinds of objects, by their number in Scalekit's `ObjectType`. A number that this version does not know
 * is left out of the event: no handler needs it.
 */
const OBJECT_TYPES: readonly (string | undefined)[] = [
  undefined,
  'Workspace',
  'Environment',
  'Organization',
  'Connection',
  'User',
  'Role',
  'CustomAttributes',
  'Directory',
  'DirectoryUser',
  'DirectoryGroup',
  'Session',
  'Template',
  'Job',
  'Domain',
  'EmailServer',
  'Email',
  'AuthRequest',
  'SAMLRequest',
  'SAMLResponse',
  'TokenClaims',
  'OIDCReqParams',
  'OIDCRespClaims',
  'SSOError',
  'GenericError',
  'RefreshTokens',
  'EndSessionRequest',
  'LogoutTokenClaims',
  'OAuthResponse',
  'JSON',
  'SKErrors',
  'OrgMembership',
  'UserProfile',
  'IDPInitiatedPayload',
  'DeviceDetails',
  'Actions',
  'InterceptorEvent',
  'Permission',
  'OrgMembershipEvent',
  'UserLoginEvent',
  'UserLogoutEvent',
  'ConnectedAccount',
];

/** The texts of an event, by their names in the Events API. */
const TEXTS = {
  specVersion: 'spec_version',
  id: 'id',
  type: 'type',
  environmentId: 'environment_id',
  organizationId: 'organization_id',
  displayName: 'display_name',
} as const;

/**
 * Turns an event of Scalekit's Events API into the payload of a webhook, so that handlers get the same event either way. It
 * takes the message that the Scalekit SDK returns, and its JSON form. Anything else, such as the payload of a webhook, is
 * returned as it is.
 *
 * The object is not changed, and the event is not validated: `dispatch` does that.
 *
 * @example
 * const { events } = await scalekit.events.listEventsPaginated(100);
 * const payload = toWebhookEvent(events[0]);
 */
export function toWebhookEvent(apiEvent: object): Readonly<Record<string, unknown>> {
  // A message inherits the defaults of fields that are not set.
  const own = new Map<string, unknown>(Object.entries(apiEvent));
  if (own.has('occurred_at') || !own.has('occurredAt')) return apiEvent as Readonly<Record<string, unknown>>;
  const texts = Object.entries(TEXTS).map(([name, webhookName]) => [webhookName, own.get(name)]);
  const fields = [
    ...texts,
    ['object', objectTypeOf(own.get('object'))],
    ['occurred_at', timeOf(own.get('occurredAt'))],
    ['data', own.get('data') ?? {}],
  ];
  // In a message, a text that is not set is empty.
  return Object.fromEntries(fields.filter(([, value]) => value !== undefined && value !== ''));
}

function objectTypeOf(object: unknown): unknown {
  if (object === 'OBJECT_TYPE_UNSPECIFIED') return undefined;
  return typeof object === 'number' ? OBJECT_TYPES[object] : object;
}

/** The ISO 8601 text of a timestamp, with as many groups of three decimals as it needs, as protobuf writes it. */
function timeOf(time: unknown): unknown {
  if (!isJsonObject(time)) return time;
  const seconds = Number(Reflect.get(time, 'seconds') ?? 0);
  const nanos = Number(Reflect.get(time, 'nanos') ?? 0);
  const date = new Date(seconds * 1000);
  // Without a time, it is refused as no event.
  if (Number.isNaN(date.getTime()) || !Number.isInteger(nanos)) return undefined;
  const decimals = String(nanos)
    .padStart(9, '0')
    .replace(/(000){1,3}$/, '');
  return date.toISOString().replace('.000Z', decimals === '' ? 'Z' : `.${decimals}Z`);
}
