import { describe, expect, it } from '@jest/globals';
import {
  SCALEKIT_EVENT_TYPES,
  type ScalekitEvent,
  type ScalekitEventType,
  scalekitEventEntity,
} from 'nestjs-scalekit-webhooks';
import { createScalekitEvent } from 'nestjs-scalekit-webhooks/testing';
import { organizationIdOf, organizationOf } from '../../../lib/events/event-entity.js';

/** By the kind of entity: its types, and the data of the same thing in every shape that Scalekit has published. */
const KINDS: Readonly<Record<string, { types: RegExp; entity: string; shapes: readonly object[] }>> = {
  organization: {
    types: /^organization\.(created|updated|deleted)$/,
    entity: 'organization:org_1',
    shapes: [
      { id: 'org_1', external_id: 'x' },
      { organization: { id: 'org_1' } },
      { organization_id: 'org_1' },
    ],
  },
  domain: {
    types: /^organization\.domain_/,
    entity: 'domain:dom_1',
    shapes: [{ id: 'dom_1', domain: 'example.com' }, { organization_domain: { id: 'dom_1' } }],
  },
  connection: {
    types: /^organization\.sso_/,
    entity: 'connection:conn_1',
    shapes: [
      { id: 'conn_1', organization_id: 'org_1' },
      { connection: { id: 'conn_1' } },
      { connection_id: 'conn_1' },
    ],
  },
  directory: {
    types: /^organization\.directory_/,
    entity: 'directory:dir_1',
    shapes: [
      { id: 'dir_1', organization_id: 'org_1' },
      { directory: { id: 'dir_1' } },
      { directory_id: 'dir_1' },
    ],
  },
  'directory user': {
    types: /^organization\.directory\.user_/,
    entity: 'directory-user:diruser_1',
    shapes: [
      { id: 'diruser_1', email: 'a@example.com' },
      { user_id: 'diruser_1', name: 'A' },
      { directory_user: { id: 'diruser_1' } },
      { user: { id: 'diruser_1' } },
    ],
  },
  'directory group': {
    types: /^organization\.directory\.group_/,
    entity: 'directory-group:dirgroup_1',
    shapes: [
      { id: 'dirgroup_1' },
      { directory_group: { id: 'dirgroup_1' } },
      { group: { id: 'dirgroup_1' } },
    ],
  },
  user: {
    types: /^user\.(created|updated|deleted)$/,
    entity: 'user:usr_1',
    shapes: [{ user: { id: 'usr_1' }, organization: { id: 'org_9' } }, { id: 'usr_1' }, { user_id: 'usr_1' }],
  },
  membership: {
    types: /^(user\.(signup|organization_)|membership\.)/,
    entity: 'membership:usr_1:org_1',
    shapes: [
      { user: { id: 'usr_1' }, organization: { id: 'org_1' } },
      { membership: { id: 'mem_1', user_id: 'usr_1', organization_id: 'org_1' } },
      { membership: { user: { id: 'usr_1' }, organization: { id: 'org_1' } } },
      { user_id: 'usr_1', organization_id: 'org_1' },
    ],
  },
  session: {
    types: /^(user\.log(in|out)|session\.)/,
    entity: 'session:ses_1',
    shapes: [
      { user: { id: 'usr_1' }, user_session: { session_id: 'ses_1' } },
      { session: { id: 'ses_1' } },
      { session: { session_id: 'ses_1', user_id: 'usr_1' } },
    ],
  },
  role: {
    types: /^role\./,
    entity: 'role:role_1',
    shapes: [{ id: 'role_1', name: 'editor' }, { role: { id: 'role_1' } }, { role_id: 'role_1' }],
  },
  permission: {
    types: /^permission\./,
    entity: 'permission:perm_1',
    shapes: [{ id: 'perm_1', name: 'read' }, { permission: { id: 'perm_1' } }],
  },
  'connected account': {
    types: /^connected_account\./,
    entity: 'connected-account:ca_1',
    shapes: [{ id: 'ca_1' }, { connected_account: { id: 'ca_1' } }, { account: { id: 'ca_1' } }],
  },
};

const CASES = Object.values(KINDS).flatMap(({ types, entity, shapes }) =>
  SCALEKIT_EVENT_TYPES.filter((type) => types.test(type)).flatMap((type) =>
    shapes.map((data) => ({ type, entity, data })),
  ),
);

/** An event with exactly this data, as if it had been parsed. */
function eventOf(type: string, data: unknown, envelope: object = {}): ScalekitEvent {
  return Object.assign(Object.create(null), {
    id: 'evt_1',
    type,
    occurred_at: '2026-01-02T03:04:05Z',
    data,
    ...envelope,
  });
}

describe('scalekitEventEntity', () => {
  it('knows all types, each as one kind of entity', () => {
    const kinds = SCALEKIT_EVENT_TYPES.map((type) => [
      type,
      Object.values(KINDS).filter(({ types }) => types.test(type)).length,
    ]);

    expect(kinds).toHaveLength(50);
    expect(kinds.filter(([, count]) => count !== 1)).toEqual([]);
  });

  it.each(CASES)('returns $entity for $type with $data', ({ type, entity, data }) => {
    expect(scalekitEventEntity(eventOf(type, data))).toBe(entity);
  });

  it.each(SCALEKIT_EVENT_TYPES)('finds an entity in the sample of %s, as an object and as JSON', (type) => {
    const event = createScalekitEvent(type, {}, { seed: 1 });

    expect(scalekitEventEntity(event)).toMatch(/^[a-z-]+:[a-z]+_\d+(:org_\d+)?$/);
    expect(scalekitEventEntity(JSON.parse(JSON.stringify(event)))).toBe(scalekitEventEntity(event));
  });

  it('returns the same entity for all events about the same thing', () => {
    const entityOf = (type: ScalekitEventType) =>
      scalekitEventEntity(createScalekitEvent(type, {}, { seed: 7 }));

    expect(entityOf('user.updated')).toBe(entityOf('user.deleted'));
    expect(entityOf('membership.deleted')).toBe(entityOf('user.organization_membership_created'));
    expect(entityOf('user.login')).toBe(entityOf('session.expired'));
    expect(entityOf('user.updated')).not.toBe(entityOf('membership.updated'));
  });

  it('takes the organization of the envelope if the data has none', () => {
    const envelope = { organization_id: 'org_1' };

    expect(scalekitEventEntity(eventOf('organization.updated', { external_id: 'x' }, envelope))).toBe(
      'organization:org_1',
    );
    expect(scalekitEventEntity(eventOf('user.signup', { user: { id: 'usr_1' } }, envelope))).toBe(
      'membership:usr_1:org_1',
    );
  });

  it('keeps memberships apart whose ids contain colons', () => {
    const of = (user: string, organization: string) =>
      scalekitEventEntity(eventOf('membership.created', { user_id: user, organization_id: organization }));

    expect(of('a:b', 'c')).toBe('membership:a%3Ab:c');
    expect(of('a', 'b:c')).toBe('membership:a:b%3Ac');
    expect(of('a%3Ab', 'c')).toBe('membership:a%253Ab:c');
  });

  it.each([
    ['no id', {}],
    ['an e-mail address, a name and an external id', { email: 'a@example.com', name: 'A', external_id: 'x' }],
    ['an id that is null', { id: null }],
    ['an id that is a number', { id: 5 }],
    ['an id that is an object', { id: { toString: () => 'usr_1' } }],
    ['an id that is a list', { id: ['usr_1'] }],
    ['an empty id', { id: '' }],
    ['an id of unusual length', { id: 'x'.repeat(256) }],
    ['an inherited id', Object.create({ id: 'usr_1', user: { id: 'usr_1' } })],
    ['a user that is a text', { user: 'usr_1' }],
    ['a user that is null', { user: null }],
    ['no data', undefined],
  ])('returns undefined for a user with %s', (_, data) => {
    expect(scalekitEventEntity(eventOf('user.updated', data))).toBeUndefined();
  });

  it('returns undefined for a membership without its user or its organization', () => {
    expect(scalekitEventEntity(eventOf('membership.created', { user: { id: 'usr_1' } }))).toBeUndefined();
    expect(
      scalekitEventEntity(eventOf('membership.created', { organization: { id: 'org_1' } })),
    ).toBeUndefined();
  });

  it.each(['user.merged', 'constructor', '__proto__', ''])(
    'returns undefined for the unknown type %p',
    (type) => {
      expect(scalekitEventEntity(eventOf(type, { id: 'usr_1' }))).toBeUndefined();
    },
  );
});

describe('organizationOf', () => {
  it.each(SCALEKIT_EVENT_TYPES)('finds the organization of %s, unless its events have none', (type) => {
    const event = createScalekitEvent(type, {}, { seed: 1 });
    const { organization_id: id } = event;

    expect(organizationOf(event)).toBe(typeof id === 'string' ? `organization:${id}` : undefined);
  });

  it.each([
    [{ organization: { id: 'org_1' } }],
    [{ organization_id: 'org_1' }],
    [{ membership: { organization_id: 'org_1' } }],
  ])('finds the organization in the data %j', (data) => {
    expect(organizationOf(eventOf('membership.created', data))).toBe('organization:org_1');
  });

  it('does not take the id of something else for that of an organization', () => {
    expect(organizationOf(eventOf('organization.domain_created', { id: 'dom_1' }))).toBeUndefined();
    expect(organizationOf(eventOf('organization.created', { id: 'org_1' }))).toBe('organization:org_1');
  });
});

describe('organizationIdOf', () => {
  it('is the id as Scalekit writes it', () => {
    expect(organizationIdOf(eventOf('organization.created', { id: 'org:1%' }))).toBe('org:1%');
    expect(organizationOf(eventOf('organization.created', { id: 'org:1%' }))).toBe('organization:org%3A1%25');
    expect(organizationIdOf(eventOf('organization.domain_created', { id: 'dom_1' }))).toBeUndefined();
  });
});
