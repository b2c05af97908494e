import { describe, expect, it } from '@jest/globals';
import { DirectoryUserCreatedEvent } from '../../../lib/events/directory.events.js';
import { OrganizationEventData } from '../../../lib/events/organization.events.js';
import { findIssues } from '../../../lib/parse/validate-event.js';

const envelope = { id: 'evt_1', type: 'organization.directory.user_created', occurred_at: '2026' };

function issuesOfGroups(groups: unknown) {
  return findIssues(DirectoryUserCreatedEvent, { ...envelope, data: { id: 'x', groups } });
}

describe('findIssues', () => {
  it('does not follow an array where an object is documented', () => {
    for (const array of [[], [{ id: 7 }], [1, [2]], [[[]]]]) {
      expect(findIssues(OrganizationEventData, { settings: array, organization: array })).toEqual([
        { path: 'settings', rule: 'isObject' },
        { path: 'organization', rule: 'isObject' },
      ]);
    }
  });

  it('does not follow arrays in a list', () => {
    expect(issuesOfGroups([[{ id: 7 }], [[1]]])).toEqual([{ path: 'data.groups', rule: 'isObject' }]);
  });

  it('does not look for items outside of lists', () => {
    expect(issuesOfGroups({ 0: { id: 7 }, length: 1 })).toEqual([{ path: 'data.groups', rule: 'isArray' }]);
    expect(issuesOfGroups('text')).toEqual([
      { path: 'data.groups', rule: 'isArray' },
      { path: 'data.groups', rule: 'isObject' },
    ]);
  });

  it('reports each kind of issue for the first item that has it', () => {
    const items = [{ id: 1 }, { id: 1, name: 1 }, null, 'text', { name: 1 }, { id: 'a', name: null }];
    expect(issuesOfGroups(items)).toEqual([
      { path: 'data.groups', rule: 'isObject' },
      { path: 'data.groups.0.id', rule: 'isString' },
      { path: 'data.groups.1.name', rule: 'isString' },
      { path: 'data.groups.2', rule: 'nestedValidation' },
    ]);
  });

  it('ignores holes and undefined items', () => {
    expect(issuesOfGroups([undefined])).toEqual([{ path: 'data.groups', rule: 'isObject' }]);
    expect(issuesOfGroups(new Array(2))).toEqual([]);
  });
});
