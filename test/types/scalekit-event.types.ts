import type { KnownScalekitEvent, ScalekitEventType } from '../../lib/events/catalog.js';
import type {
  DirectoryGroupCreatedEvent,
  DirectoryGroupDeletedEvent,
  DirectoryGroupUpdatedEvent,
  DirectoryUserCreatedEvent,
  DirectoryUserDeletedEvent,
  DirectoryUserUpdatedEvent,
} from '../../lib/events/directory.events.js';
import type { OrganizationCreatedEvent } from '../../lib/events/organization.events.js';
import type { RoleCreatedEvent, RoleDeletedEvent, RoleUpdatedEvent } from '../../lib/events/role.events.js';
import type { UnknownScalekitEvent } from '../../lib/events/scalekit-event.base.js';
import {
  isKnownScalekitEvent,
  type ScalekitEvent,
  type ScalekitEventPattern,
  type UnlistedScalekitEventType,
  unlistedScalekitEvent,
} from '../../lib/events/scalekit-event.types.js';
import type { UserCreatedEvent, UserDeletedEvent } from '../../lib/events/user.events.js';
import { createScalekitEvent } from '../../lib/samples/create-scalekit-event.js';

// Checked by `tsc`, never run.

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
declare function same<A, B>(verdict: Same<A, B>): void;

export function eventsOfPatterns(): void {
  same<ScalekitEvent<'user.created'>, UserCreatedEvent>(true);
  same<ScalekitEvent<'user.created' | 'user.deleted'>, UserCreatedEvent | UserDeletedEvent>(true);
  same<ScalekitEvent, ScalekitEvent<'*'>>(true);
  same<ScalekitEvent<'*'>, KnownScalekitEvent | UnknownScalekitEvent>(true);
  same<
    ScalekitEvent<'role.*'>,
    RoleCreatedEvent | RoleUpdatedEvent | RoleDeletedEvent | UnknownScalekitEvent
  >(true);
  same<
    ScalekitEvent<'organization.directory.*'>,
    | DirectoryUserCreatedEvent
    | DirectoryUserUpdatedEvent
    | DirectoryUserDeletedEvent
    | DirectoryGroupCreatedEvent
    | DirectoryGroupUpdatedEvent
    | DirectoryGroupDeletedEvent
    | UnknownScalekitEvent
  >(true);
  same<
    ScalekitEvent<'user.created' | 'role.*'>,
    UserCreatedEvent | RoleCreatedEvent | RoleUpdatedEvent | RoleDeletedEvent | UnknownScalekitEvent
  >(true);
  same<ScalekitEvent<UnlistedScalekitEventType>, UnknownScalekitEvent>(true);
  same<ScalekitEvent<'user.created'>, UserDeletedEvent>(false);
}

export function patterns(): void {
  const good: ScalekitEventPattern[] = [
    'user.created',
    'organization.directory.user_created',
    '*',
    'organization.*',
    'organization.directory.*',
    'connected_account.*',
    unlistedScalekitEvent('organization.merged'),
  ];
  // @ts-expect-error misspelled type
  const misspelt: ScalekitEventPattern = 'user.craeted';
  // @ts-expect-error no known type begins like this
  const noFamily: ScalekitEventPattern = 'users.*';
  // @ts-expect-error the asterisk must follow a dot
  const halfWord: ScalekitEventPattern = 'organization.direct*';
  // @ts-expect-error a prefix is not a type
  const family: ScalekitEventPattern = 'organization';
  // @ts-expect-error no type begins with another type
  const belowEvent: ScalekitEventPattern = 'user.created.*';
  // @ts-expect-error any string
  const text: ScalekitEventPattern = String(good);
  void [misspelt, noFamily, halfWord, family, belowEvent, text];
}

export function unlisted(fromConfig: string): void {
  unlistedScalekitEvent('organization.merged');
  unlistedScalekitEvent('agent.*');
  unlistedScalekitEvent(fromConfig);
  // @ts-expect-error a known type
  unlistedScalekitEvent('organization.created');
  // @ts-expect-error a known pattern
  unlistedScalekitEvent('organization.*');
}

export function narrowing(event: ScalekitEvent): string {
  // @ts-expect-error an unknown event may have any type, so the type alone does not narrow the data
  if (event.type === 'user.created') event.data.user?.email;
  if (!isKnownScalekitEvent(event)) {
    same<typeof event, UnknownScalekitEvent>(true);
    return String(event.data.anything);
  }
  same<typeof event, KnownScalekitEvent>(true);
  switch (event.type) {
    case 'user.created':
      same<typeof event, UserCreatedEvent>(true);
      return event.data.user?.email ?? '';
    case 'organization.directory.user_created':
      // @ts-expect-error a documented field may be absent or null
      return event.data.groups[0].name;
    default:
      return event.type satisfies Exclude<
        ScalekitEventType,
        'user.created' | 'organization.directory.user_created'
      >;
  }
}

export function narrowingOfFamily(event: ScalekitEvent<'role.*'>): void {
  if (isKnownScalekitEvent(event)) {
    same<typeof event, RoleCreatedEvent | RoleUpdatedEvent | RoleDeletedEvent>(true);
  }
}

export function assignability(created: OrganizationCreatedEvent, unknown: UnknownScalekitEvent): void {
  const any: ScalekitEvent[] = [created, unknown];
  // @ts-expect-error another event
  const other: ScalekitEvent<'organization.deleted'> = created;
  // @ts-expect-error a known event is not an unknown one
  const asUnknown: UnknownScalekitEvent = created;
  // @ts-expect-error events are read-only, because handlers share them
  created.data.id = 'org_1';
  void [any, other, asUnknown];
}

export function madeUpEvents(type: ScalekitEventType): void {
  same<ReturnType<typeof createScalekitEvent<'user.created'>>, UserCreatedEvent>(true);
  const some: KnownScalekitEvent = createScalekitEvent(type);
  createScalekitEvent('user.created', { data: { user: { email: null } } });
  // @ts-expect-error no such field
  createScalekitEvent('user.created', { data: { usr: {} } });
  // @ts-expect-error wrong JSON type
  createScalekitEvent('user.created', { data: { user: { email: 1 } } });
  // @ts-expect-error no such event
  createScalekitEvent('user.craeted');
  void some;
}
