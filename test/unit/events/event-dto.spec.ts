import { describe, expect, it } from '@jest/globals';
import { validateSync } from 'class-validator';
import { SCALEKIT_EVENT_TYPES } from '../../../lib/events/catalog.js';
import { OrganizationCreatedEvent } from '../../../lib/events/organization.events.js';
import { nestedFieldsOf } from '../../../lib/events/scalekit-event.base.js';
import { isKnownScalekitEvent, unlistedScalekitEvent } from '../../../lib/events/scalekit-event.types.js';
import { MembershipEventData, UserSignupEvent } from '../../../lib/events/user.events.js';

import { hydrateEvent } from '../../../lib/parse/validate-event.js';
import { createScalekitEvent } from '../../../lib/samples/create-scalekit-event.js';

describe('the DTO classes', () => {
  it.each(SCALEKIT_EVENT_TYPES)('work with class-validator alone: %s', (type) => {
    const options = { whitelist: true, forbidNonWhitelisted: false };
    expect(validateSync(createScalekitEvent(type), options)).toEqual([]);
  });

  it('name the possible identity fields in the message for class-validator', () => {
    const event = hydrateEvent({ ...createScalekitEvent('organization.created'), ...{ data: { foo: 1 } } });
    const [error] = validateSync(event);
    expect(error?.constraints?.hasIdentity).toMatch(
      /one of id, organization_id, external_id, organization\.id/,
    );
  });

  it('know their nested fields, including inherited ones', () => {
    expect([...nestedFieldsOf(MembershipEventData).keys()].sort()).toEqual([
      'membership',
      'organization',
      'user',
    ]);
    expect([...nestedFieldsOf(UserSignupEvent).keys()]).toEqual(['data']);
    expect(nestedFieldsOf(class {}).size).toBe(0);
  });

  it('do not initialize their fields', () => {
    expect(Object.keys(new OrganizationCreatedEvent())).toEqual([]);
  });
});

describe('isKnownScalekitEvent', () => {
  it('looks at the type, so that events of another copy of the library count as well', () => {
    const { ...copy } = createScalekitEvent('organization.created');
    expect(isKnownScalekitEvent(copy)).toBe(true);
    expect(isKnownScalekitEvent(createScalekitEvent(unlistedScalekitEvent('organization.merged')))).toBe(
      false,
    );
    expect(isKnownScalekitEvent(createScalekitEvent(unlistedScalekitEvent('constructor')))).toBe(false);
  });
});
