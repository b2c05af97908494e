import type { RunError } from '../inbox/inbox-queries.js';

/** Log and error messages: what happened, then what to do. None contains a secret or a payload. */
export const MESSAGES = {
  // Declarations of handlers
  notAnInstanceMethod: (name: string) =>
    `@OnScalekitEvent decorates ${name}, which is not an instance method. Use it on methods that are neither static nor properties.`,
  handlerFoundTwice: (id: string) =>
    `${id} was found in several instances of its class. It runs once per event, in the first instance. Provide the class in one module and export it.`,
  handlerIdTaken: (id: string) =>
    `Two handlers have the id "${id}", which identifies their runs in the inbox. Give one of them another id with @OnScalekitEvent(…, { id }).`,
  handlerWithoutId: (method: string) =>
    `The handler ${method} has no usable id. Give its class a name, or set an id with @OnScalekitEvent(…, { id }).`,
  handlerOptionsDisagree: (method: string, setting: string) =>
    `The decorators of ${method} disagree on ${setting}. Stacked @OnScalekitEvent decorators declare one handler, so set ${setting} once.`,
  declarationInvalid: (method: string, reason: string) => `@OnScalekitEvent on ${method}: ${reason}`,
  handlerInScopedFactory: (name: string) =>
    `The handlers of ${name} cannot run, because a request-scoped or transient factory creates the class. Provide the class with useClass, or make the factory a singleton.`,
  handlerNotProvided: (name: string, scopedFactory: string) =>
    `${name} declares handlers, but no module provides it, so they will not run. Add it to a module's providers. If the request-scoped or transient factory ${scopedFactory} creates it, provide it with useClass instead.`,
  observerNotSingleton: (name: string) =>
    `${name} is decorated with @ScalekitObserver(), but it is request-scoped or transient, so it observes nothing. Make it a singleton.`,
  observerFailed: (observer: string, method: string) =>
    `The observer ${observer} failed in ${method}(). Nothing else is affected`,
  handlerForgotten: (name: string, method: string, eventId: string, type: string) =>
    `${eventId} (${type}) was ignored: ${name}.${method} handles it, but no module of this application provides ${name}. Add ${name} to a module's providers.`,
  handlerRefused: (patterns: readonly string[]) =>
    `A handler of a lazily loaded module cannot run. Deliveries of the events that it handles (${patterns.join(', ')}) are refused as unavailable, so that Scalekit retries them until you fix the handler and restart. Cause`,
  noHandlers:
    "This endpoint has no @OnScalekitEvent handler. Every event will be acknowledged and ignored. Add the class that declares the handlers to a module's providers.",
  unknownPattern: (id: string, pattern: string) =>
    `${id} handles "${pattern}", which matches no event type that this version knows. Check the spelling.`,
  unknownEndpoint: (id: string, endpoint: string) =>
    `${id} handles events of the endpoint "${endpoint}", but no forRoot has that name, so it will not receive any.`,
  queueWithoutHandlers: (endpoint: string) =>
    `The endpoint "${endpoint}" hands runs to other processes, but this process has no handlers for it. It would acknowledge and ignore every event. Provide the same handlers in every process, including those that only receive events.`,
  eventEmitterMissing:
    'eventEmitter is on, but the application has no EventEmitter2. Install @nestjs/event-emitter and import EventEmitterModule.forRoot().',
  handlerTableRow: (patterns: readonly string[], id: string) => `${patterns.join(', ')} -> ${id}`,

  orderWithoutWorkers: (id: string) =>
    `${id} sets order, which only InboxTransport supports. With any other transport, Scalekit decides when events arrive and are retried. Set transport: new InboxTransport(). For a handler that copies state, use latestOnly instead, which works with every transport.`,
  inboxWithoutTurns: (id: string, inbox: string) =>
    `${id} sets order, but ${inbox} cannot keep the order of runs, because it has no endTurn(). Implement it as InboxWorkStore describes, or use a PostgresInboxStore or a SqliteInboxStore.`,
  inboxWithoutAdmit: (id: string, inbox: string) =>
    `${id} sets latestOnly, but ${inbox} cannot tell which event of an entity is the newest, because it has no admit(). Implement it as InboxStore describes, or use one of the stores of this package.`,

  // What happens to deliveries and runs
  deliveryOutcome: (eventId: string, type: string, outcome: string) => `${eventId} (${type}): ${outcome}`,
  deliveryDead: (eventId: string, type: string, deadHandlerIds: readonly string[]) =>
    `${eventId} (${type}): dead. ${deadHandlerIds.join(', ')} failed for good and will not run again. Fix the cause, then replay the event.`,
  deliveryRefused: (outcome: string, code: string, reason: string) =>
    `Delivery refused as ${outcome} (${code}): ${reason}`,
  attemptFailed: (id: string, eventId: string, type: string, isDead: boolean) =>
    isDead
      ? `${id} failed for ${eventId} (${type}) and will not run again until you replay the event`
      : `${id} failed for ${eventId} (${type})`,
  filterThrew: (method: string, eventId: string, type: string, isFinal: boolean) =>
    isFinal
      ? `A filter of ${method} made the failure for ${eventId} (${type}) final. The error of the handler was`
      : `A filter of ${method} threw an error for ${eventId} (${type}), so the handler's error decides what happens to the run`,
  overdue: (id: string, eventId: string, type: string, limit: string, answered: number | undefined) =>
    `${id} for ${eventId} (${type}) did not end within ${limit}; ` +
    (answered === undefined
      ? 'it is still running, and its end will be logged'
      : `answered ${answered}, Scalekit will retry`),
  overdueInBackground: (id: string, eventId: string, type: string, limit: string, isDead: boolean) =>
    `${id} for ${eventId} (${type}) did not end within ${limit}; ` +
    (isDead ? 'it will not run again until you replay the event' : 'it will be retried'),
  handlerEndedLate: (id: string, eventId: string, type: string, state: string) =>
    `${id} ended after its deadline for ${eventId} (${type}): ${state}`,
  queuedRunDone: (id: string, eventId: string, type: string, source: 'queue' | 'inbox') =>
    `${id} for ${eventId} (${type}), from the ${source}: done`,
  staleRun: (id: string, eventId: string, type: string) =>
    `${id} did not run for ${eventId} (${type}), because a newer event of the same entity is done`,
  workFault: 'The worker cannot take runs from the inbox, and tries again until it can. Cause',
  workPaused: (endpoint: string) =>
    `The endpoint "${endpoint}" is paused: its workers take no runs until ScalekitInbox.resume() is called.`,
  workResumed: (endpoint: string) => `The endpoint "${endpoint}" is no longer paused.`,
  runsStranded: (counts: readonly string[]) =>
    `Runs are waiting for handlers that this process does not have: ${counts.join(', ')}. If no other process has them either, restore them, give renamed handlers their old id with @OnScalekitEvent(…, { id }), or delete the events.`,
  workInMemory:
    'When the process ends, the memory inbox forgets the runs that wait for a worker, although their events were acknowledged. Use a PostgresInboxStore or a SqliteInboxStore in production.',
  runFault: (fault: string, eventId: string, type: string) => `${fault} for ${eventId} (${type})`,
  heldBack: (count: number, seconds: number) =>
    count === 1 ? '' : ` (the last of ${count} such lines in ${seconds} s)`,

  withCause: (warning: string) => `${warning} Cause`,
  eventWithoutJson:
    'The event cannot be written as JSON. Pass the event as Scalekit sends it, without BigInt values and circular references.',
  shutdownWaits: (runs: readonly string[]) =>
    runs.length === 0
      ? 'The shutdown is waiting for the inbox or the queue to respond.'
      : `The shutdown is waiting for ${runs.length === 1 ? 'a run' : `${runs.length} runs`} to end: ${runs.slice(0, 10).join(', ')}`,

  // Errors of runs
  inboxTooSlow: 'the inbox did not answer in time',
  claimedTooLate: 'the inbox answered the claim too late for the handler to run',
  transportReturnedTooFew: 'the transport did not return a promise for each run',
  queuedRunHangs:
    'The handler did not finish within twice its time limit. Make it stop when delivery.signal fires.',
  queuedRunDead: 'The run is dead in the inbox. Replay the event there instead of retrying its job.',
  noAttemptLeft: (attempts: number, lastError?: RunError) =>
    lastError
      ? `No attempts are left (limit: ${attempts}). The last one failed with ${lastError.name}: ${lastError.message}`
      : `No attempts are left (limit: ${attempts}), and the last one has no result: while the handler ran, the process ended or lost the inbox, or attempts has been lowered since. Find out why, then replay the event.`,
  orderIsNoText: (id: string, found: string) =>
    `The order function of ${id} returned ${found}. Return a string that is not empty, or undefined for an event that may run at any time. Do not return a promise.`,
  entityBusy:
    'Another event of the same entity was being handled, so the handler did not run. The run will be tried again.',
  handlerGone: (id: string) => `No handler in this process has the id ${id}.`,
  inboxWithoutWork: (inbox: string, missing: readonly string[]) =>
    `Workers cannot take runs from ${inbox}, because it has no ${missing.map((method) => `${method}()`).join(', ')}. Use a PostgresInboxStore or a SqliteInboxStore. With a RedisInboxStore, use BullMqTransport. A store of your own must implement InboxWorkStore.`,
  inboxWithoutTransactions: (method: string, inbox: string) =>
    `delivery.${method}() cannot work with ${inbox}, because it has no transactions. Use PostgresInboxStore or SqliteInboxStore, or make the handler's effect safe to repeat with delivery.idempotencyKey.`,
  secondTransaction:
    'delivery.transaction() was called again, but the run has only one record to commit. Do all of the work in one transaction, and call it again only after it has failed.',
} as const;
