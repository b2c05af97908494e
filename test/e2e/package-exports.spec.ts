import { describe, expect, it } from '@jest/globals';
import * as library from 'nestjs-scalekit-webhooks';
import { SCALEKIT_EVENTS } from '../../lib/events/catalog.js';

describe('the package', () => {
  it.each(Object.entries(SCALEKIT_EVENTS))('exports the class of %s', (_type, eventClass) => {
    expect(library).toHaveProperty(eventClass.name, eventClass);
  });
});
