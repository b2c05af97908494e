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
  handlerNotProvided: (name: string, scopedFactories: readonly string[]) =>
    `${name} declares handlers, but no module provides it, so they will not run. Add it to a module's providers.` +
    (scopedFactories.length > 0
      ? ` If a request-scoped or transient factory (${scopedFactories.join(', ')}) creates it, provide it with useClass instead.`
      : ''),
  noHandlers: 'This endpoint has no @OnScalekitEvent handler. Every event will be acknowledged and ignored.',
  unknownPattern: (id: string, pattern: string) =>
    `${id} handles "${pattern}", which matches no event type that this version knows. Check the spelling.`,
  unknownEndpoint: (id: string, endpoint: string) =>
    `${id} handles events of the endpoint "${endpoint}", but no forRoot has that name, so it will not receive any.`,
  queueWithoutHandlers: (endpoint: string) =>
    `The endpoint "${endpoint}" hands runs to other processes, but this process has no handlers for it. It would acknowledge and ignore every event. Provide the same handlers in every process, including those that only receive events.`,
  eventEmitterMissing:
    'eventEmitter is on, but the application has no EventEmitter2. Install @nestjs/event-emitter and import EventEmitterModule.forRoot().',
  handlerTableRow: (patterns: readonly string[], id: string) => `${patterns.join(', ')} -> ${id}`,

  // What happens to deliveries and runs
  deliveryOutcome: (eventId: string, type: string, outcome: string) => `${eventId} (${type}): ${outcome}`,
  deliveryDead: (eventId: string, type: string, deadHandlerIds: readonly string[]) =>
    `${eventId} (${type}): dead. ${deadHandlerIds.join(', ')} failed for good and will not run again. Fix the cause, then replay the event.`,
  deliveryRefused: (outcome: string, code: string, reason: string) =>
    `Delivery refused as ${outcome} (${code}): ${reason}`,
  handlerFailed: (id: string, eventId: string, type: string, error: { name: string; message: string }) =>
    `${id} failed for ${eventId} (${type}): ${error.name}: ${error.message}`,
  handlerEndedLate: (id: string, eventId: string, type: string, state: string) =>
    `${id} ended after its deadline for ${eventId} (${type}): ${state}`,
  queuedRunEnded: (id: string, eventId: string, type: string, source: string, state: string) =>
    `${id} for ${eventId} (${type}), from the ${source}: ${state}`,
  workFault: (reason: { name: string; message: string }) =>
    `The worker cannot take runs from the inbox: ${reason.name}: ${reason.message}. It tries again until it can.`,
  workPaused: (endpoint: string) =>
    `The endpoint "${endpoint}" is paused: its workers take no runs until ScalekitInbox.resume() is called.`,
  workResumed: (endpoint: string) => `The endpoint "${endpoint}" is no longer paused.`,
  runsStranded: (counts: readonly string[]) =>
    `Runs are waiting for handlers that this process does not have: ${counts.join(', ')}. If no other process has them either, bring the handler back, keep its old id with @OnScalekitEvent(…, { id }), or delete the events.`,
  workInMemory:
    'The memory inbox forgets the runs that wait for a worker when the process ends, although they were acknowledged. Use a PostgresInboxStore or a SqliteInboxStore in production.',
  runFault: (
    fault: string,
    eventId: string,
    type: string,
    reason: { name: string; message: string } | undefined,
  ) => `${fault} for ${eventId} (${type})${reason ? `: ${reason.name}: ${reason.message}` : ''}`,
  heldBack: (line: string, count: number, seconds: number) =>
    count === 1 ? line : `${line} (the last of ${count} such lines in ${seconds} s)`,

  inboxWarning: (warning: string, reason: { name: string; message: string } | undefined) =>
    `${warning}${reason ? ` Cause: ${reason.name}: ${reason.message}` : ''}`,
  eventWithoutJson:
    'The event cannot be written as JSON. Pass the event as Scalekit sends it: it has no BigInt and does not contain itself.',
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
  runAbandoned: (attempts: number) =>
    `The last of ${attempts} attempts has no result: the process ended, or lost the inbox, while the handler ran. Find out why, then replay the event.`,
  handlerGone: (id: string) => `No handler in this process has the id ${id}.`,
  inboxWithoutWork: (inbox: string, missing: readonly string[]) =>
    `Workers cannot take runs from ${inbox}, because it has no ${missing.map((method) => `${method}()`).join(', ')}. Use a PostgresInboxStore or a SqliteInboxStore. With a RedisInboxStore, use BullMqTransport. A store of your own must implement InboxWorkStore.`,
  inboxWithoutTransactions: (method: string, inbox: string) =>
    `delivery.${method}() cannot work with ${inbox}, because it has no transactions. Use PostgresInboxStore or SqliteInboxStore, or make the handler's effect safe to repeat with delivery.idempotencyKey.`,
  secondTransaction:
    'delivery.transaction() was called again, but the run has only one record to commit. Do all of the work in one transaction, and call it again only after it has failed.',
} as const;
