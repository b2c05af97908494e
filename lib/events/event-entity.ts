import { isScalekitEventType, SCALEKIT_EVENTS } from './catalog.js';
import {
  ConnectedAccountEventData,
  ConnectedAccountStatusUpdatedEventData,
} from './connected-account.events.js';
import { DirectoryEventData, DirectoryGroupEventData, DirectoryUserEventData } from './directory.events.js';
import {
  ConnectionEventData,
  OrganizationDomainEventData,
  OrganizationEventData,
} from './organization.events.js';
import { PermissionEventData, RoleEventData } from './role.events.js';
import { type DtoClass, flatOrUnder, nestedFieldsOf } from './scalekit-event.base.js';
import type { ScalekitEvent } from './scalekit-event.types.js';
import {
  MembershipEventData,
  OrgMembershipEventData,
  SessionEventData,
  UserAuthEventData,
  UserEventData,
} from './user.events.js';

/** Where an event has an id: the steps of paths such as `data.user.id`. The first path that has it counts. */
type IdPaths = readonly (readonly string[])[];

/** The kind of thing that events with the same data are about, and where its ids are. It has as many ids as lists. */
type EntitySource = readonly [kind: string, ...ids: IdPaths[]];

function source(kind: string, ...ids: readonly (readonly string[])[]): EntitySource {
  return [kind, ...ids.map((paths) => paths.map((path) => path.split('.')))];
}

const ORGANIZATION: EntitySource = source(
  'organization',
  inData(['organization'], ['id', 'organization_id'], 'organization_id'),
);
const ORGANIZATION_OF_OTHERS: EntitySource = source('organization', [
  'organization_id',
  ...['organization_id', 'organization.id', 'membership.organization_id'].map(below),
]);
// Also for logins: two sessions of a user are two things, and the end of one says nothing about the other.
const SESSION: EntitySource = source(
  'session',
  ['session.session_id', 'session.id', 'user_session.session_id', 'user_session.id', 'session_id'].map(below),
);
// A membership has no id of its own in most events.
const MEMBERSHIP: EntitySource = source(
  'membership',
  [
    'user.id',
    'user.user_id',
    'membership.user_id',
    'membership.user.id',
    'org_membership.user_id',
    'user_id',
  ].map(below),
  [
    ...[
      'organization.id',
      'membership.organization_id',
      'membership.organization.id',
      'org_membership.organization_id',
      'organization_id',
    ].map(below),
    'organization_id',
  ],
);
const CONNECTED_ACCOUNT: EntitySource = source(
  'connected-account',
  inData(['connected_account', 'account'], ['id', 'connected_account_id']),
);

/**
 * Only ids that Scalekit assigns: they are unique, they never change, and they say nothing about a person. Events with
 * the same class of data are about the same kind of thing.
 */
const SOURCES: ReadonlyMap<DtoClass | undefined, EntitySource> = new Map<DtoClass, EntitySource>([
  [OrganizationEventData, ORGANIZATION],
  [OrganizationDomainEventData, source('domain', inData(['organization_domain'], ['id', 'domain_id']))],
  [ConnectionEventData, source('connection', inData(['connection'], ['id', 'connection_id']))],
  [UserEventData, source('user', inData(['user'], ['id', 'user_id']))],
  [UserAuthEventData, SESSION],
  [SessionEventData, SESSION],
  [OrgMembershipEventData, MEMBERSHIP],
  [MembershipEventData, MEMBERSHIP],
  [DirectoryEventData, source('directory', inData(['directory'], ['id', 'directory_id']))],
  [DirectoryUserEventData, source('directory-user', inData(['directory_user', 'user'], ['id', 'user_id']))],
  [
    DirectoryGroupEventData,
    source('directory-group', inData(['directory_group', 'group'], ['id', 'group_id'])),
  ],
  [RoleEventData, source('role', inData(['role'], ['id', 'role_id']))],
  [PermissionEventData, source('permission', inData(['permission'], ['id', 'permission_id']))],
  [ConnectedAccountEventData, CONNECTED_ACCOUNT],
  [ConnectedAccountStatusUpdatedEventData, CONNECTED_ACCOUNT],
]);

/** The class of the data of each known type. */
const DATA_CLASSES: ReadonlyMap<string, DtoClass | undefined> = new Map(
  Object.entries(SCALEKIT_EVENTS).map(([type, dto]) => [type, nestedFieldsOf(dto).get('data')?.classOf()]),
);

/**
 * What an event is about: `user:usr_1`, `organization:org_1`, `directory-user:diruser_1` and so on. Two events have the
 * same entity if they are about the same thing, whichever of its shapes Scalekit used. A membership is identified by its
 * user and its organization: `membership:usr_1:org_1`. Logins and logouts are about a session.
 *
 * @returns undefined if this version does not know the type, or the event does not have the id: an email address, a name
 *   or an external id identifies nothing reliably
 */
export function scalekitEventEntity(event: ScalekitEvent): string | undefined {
  const declared = isScalekitEventType(event.type) ? SOURCES.get(DATA_CLASSES.get(event.type)) : undefined;
  return declared && entityFrom(event, declared);
}

/** The organization that an event belongs to, even if the event is about one of its users. Undefined if it has none. */
export function organizationOf(event: ScalekitEvent): string | undefined {
  return entityFrom(event, organizationSourceOf(event));
}

/** The id of the organization that an event belongs to, as Scalekit writes it. See {@link organizationOf}. */
export function organizationIdOf(event: ScalekitEvent): string | undefined {
  return idsFrom(event, organizationSourceOf(event))[0];
}

function organizationSourceOf({ type }: ScalekitEvent): EntitySource {
  return DATA_CLASSES.get(type) === OrganizationEventData ? ORGANIZATION : ORGANIZATION_OF_OTHERS;
}

function entityFrom(event: object, source: EntitySource): string | undefined {
  // The parts are separated by colons, so no part can contain one.
  const parts = idsFrom(event, source).map((id) => id?.replace(/[%:]/g, encodeURIComponent));
  return parts.includes(undefined) ? undefined : [source[0], ...parts].join(':');
}

function idsFrom(event: object, [, ...ids]: EntitySource): (string | undefined)[] {
  return ids.map((paths) => {
    for (const path of paths) {
      const id = idAt(event, path);
      if (id !== undefined) return id;
    }
    return undefined;
  });
}

// As long as the envelope's own id may be.
const LONGEST_ID = 255;

/** Reads own properties only. Only a string of a usual length counts as an id. */
function idAt(event: object, path: readonly string[]): string | undefined {
  let value: unknown = event;
  for (const step of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, step)) return undefined;
    value = Reflect.get(value, step);
  }
  if (typeof value !== 'string' || value === '' || value.length > LONGEST_ID) return undefined;
  return value;
}

/** An id in the data: on its own, or below one of the parents. With `envelope`, also in this field of the event itself. */
function inData(
  parents: readonly string[],
  fields: readonly string[],
  ...envelope: readonly string[]
): readonly string[] {
  return [...flatOrUnder(parents, fields).map(below), ...envelope];
}

function below(path: string): string {
  return `data.${path}`;
}
