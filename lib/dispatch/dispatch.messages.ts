import { describeValue } from '../errors/settings.js';

/** Texts for people: what happened, then what to do. None holds a secret or a payload. */
export const MESSAGES = {
  endpointUnknown: (id: string, endpoint: string) =>
    `${id} waits for events of the endpoint "${endpoint}", but no forRoot has that name: it gets none of them.`,
  eventEmitterMissing:
    'eventEmitter is on, but there is no EventEmitter2: install @nestjs/event-emitter and import EventEmitterModule.forRoot().',
  notAnInstanceMethod: (name: string) =>
    `@OnScalekitEvent decorates ${name}, which is no method of an instance: use it on methods that are neither static nor properties.`,
  handlerFoundTwice: (id: string) =>
    `${id} was found in several instances of its class; it runs once per event, in the first. Provide the class in one module and export it.`,
  handlerIdTaken: (id: string) =>
    `Two handlers have the id "${id}", under which the inbox remembers their runs: give one of them an id in @OnScalekitEvent(…, { id }).`,
  handlerWithoutId: (method: string) =>
    `The handler ${method} has no usable id: name its class, or give an id in @OnScalekitEvent(…, { id }).`,
  handlerOptionsDisagree: (method: string, setting: string) =>
    `The decorators of ${method} disagree on ${setting}: stacked @OnScalekitEvent make one handler, so give it once.`,
  handlerTimeoutInvalid: (method: string, found: unknown) =>
    `The timeout of ${method} must be a number of ms greater than 0, found ${describeValue(found)}.`,
  handlerInScopedFactory: (name: string) =>
    `The handlers of ${name} could never run: a request-scoped or transient factory hides what it makes. Provide the class with useClass, or make the factory a singleton.`,
  handlerNotProvided: (name: string, scopedFactories: readonly string[]) =>
    `${name} declares handlers, but no module provides it: its methods will not run. Add it to a module's providers.` +
    (scopedFactories.length > 0
      ? ` Should a request-scoped or transient factory (${scopedFactories.join(', ')}) make it: provide it with useClass instead.`
      : ''),
  handlerTableRow: (patterns: readonly string[], id: string) => `${patterns.join(', ')} -> ${id}`,
  noHandlers:
    'There is no @OnScalekitEvent handler for this endpoint: every event will be acknowledged and ignored.',
  patternOfNoKnownType: (id: string, pattern: string) =>
    `${id} waits for "${pattern}", which matches no event type that this version knows: is it misspelt?`,
  handlerFailed: (id: string, eventId: string, type: string, error: { name: string; message: string }) =>
    `${id} failed for ${eventId} (${type}): ${error.name}: ${error.message}`,
  queuedRunEnded: (id: string, eventId: string, type: string, state: string) =>
    `${id} for ${eventId} (${type}), from the queue: ${state}`,
  handlerEndedLate: (id: string, eventId: string, type: string, state: string) =>
    `${id} ended after its deadline for ${eventId} (${type}): ${state}`,
  inboxTooSlow: 'the inbox did not answer in time',
  claimedTooLate: 'the inbox gave the claim too late for the handler to run',
  transportReturnedTooFew: 'the transport did not return a promise for each run',
  deliveryOutcome: (eventId: string, type: string, outcome: string) => `${eventId} (${type}): ${outcome}`,
  deliveryRefused: (outcome: string, code: string, reason: string) =>
    `Delivery refused as ${outcome} (${code}): ${reason}`,
  processingFault: (
    fault: string,
    eventId: string,
    type: string,
    reason: { name: string; message: string } | undefined,
  ) => `${fault} for ${eventId} (${type})${reason ? `: ${reason.name}: ${reason.message}` : ''}`,
  inboxWithoutTransactions:
    'delivery.complete() needs an inbox in a database with transactions: PostgresInboxStore or SqliteInboxStore.',
  queuedRunHangs: 'The handler did not end within twice its time; let it heed delivery.signal.',
  queuedRunDead: 'The run is dead in the inbox: replay the event there instead of retrying its job.',
  handlerGone: (id: string) => `No handler of this process has the id ${id}.`,
  handlerAttemptsInvalid: (method: string, found: unknown) =>
    `The attempts of ${method} must be a whole number greater than 0, found ${describeValue(found)}.`,
} as const;
