/** Every text that the command line tool shows, except for its help. None holds a secret or a digest. */
export const CLI_MESSAGES = {
  notJsonObject: (option: string) => `${option} must be a JSON object, such as {"data":{"id":"org_1"}}.`,
  notAPositiveInteger: 'must be a whole number greater than 0.',
  notANumberOfSeconds: 'must be a number of seconds, 0 or more.',
  notAnHttpUrl: 'must be an http:// or https:// URL.',
  fileUnreadable: (path: string, reason: string) => `Cannot read ${path} (${reason}).`,
  secretMissing: (variable: string) =>
    `No signing secret: set ${variable} to the one that the server uses, or give --secret.`,
  typeUnknown: (type: string, nearest: readonly string[]) =>
    `"${type}" is no event type that this version knows. Did you mean ${nearest.join(', ')}? ` +
    'Run `scalekit-webhooks events` for all of them, or add --unlisted to send it anyway.',
  headersUnreadable: (path: string) =>
    `${path} holds no headers: write one "Name: value" a line, or a JSON object of names and values.`,

  answered: (status: number, event: string, milliseconds: number, body: string) =>
    [`${status}  ${event}  ${milliseconds} ms`, body].filter((part) => part !== '').join('  '),
  unanswered: (event: string, reason: string) => `---  ${event}  ${reason}`,
  connectionRefused: (origin: string) => `nothing listens at ${origin}: is the server up?`,
  hostUnknown: (origin: string) => `the host of ${origin} is not known: is the URL right?`,
  connectionBroken: 'the server closed the connection without an answer.',
  timedOut: (seconds: number) => `no answer within ${seconds} s.`,
  requestFailed: (reason: string) => `the request failed (${reason}).`,
  summary: (tally: readonly (readonly [string, number])[]) =>
    tally.map(([answer, count]) => `${count} x ${answer}`).join(', '),

  inboxMissing: (variable: string) =>
    `No inbox: set ${variable} to the application's own, or give --store (postgres://..., redis://... or sqlite:path).`,
  inboxUrlUnknown: 'The inbox must be given as postgres://..., redis://..., rediss://... or sqlite:path.',
  inboxFailed: (reason: string) => `The inbox cannot be used: ${reason}`,
  optionOfOtherStore: (option: string, store: string) => `${option} means nothing to an inbox in ${store}.`,
  driverMissing: (store: string, packages: readonly string[]) =>
    `An inbox in ${store} needs ${packages.join(' or ')}: run \`npm install ${packages[0]}\` in the folder of the application, and ` +
    'call this tool from there.',
  sqliteFileMissing: (path: string) => `There is no file ${path}.`,
  ledgerMissing: (place: string) =>
    `There is no inbox in ${place}: is it the right one, and are --schema and --prefix those of the application?`,
  notATime:
    'must be an ISO 8601 date, such as 2026-01-31 or 2026-01-31T12:00:00Z, or how long ago: 30d, 12h.',
  timeInTheFuture: 'must not be in the future.',
  noEntries: 'No event matches.',
  moreEntries: (cursor: string) => `There are more: add --cursor ${cursor}`,
  eventUnknown: (eventId: string, endpoint: string) =>
    `The inbox of the endpoint ${JSON.stringify(endpoint)} has no event ${JSON.stringify(eventId)}.`,
  payloadMissing: 'the inbox does not keep what was received.',
  pruned: (count: number, time: string) => `Forgot ${count} event(s) received before ${time}.`,
  replayWhat: 'Say which events: give one event id, or --state, or --type, or both.',
  replayStopped:
    'Stopped: this is no answer of an endpoint that took the event. The other events were left as they are.',
  entryField: (name: string, value: string) => `${name.padEnd(10)}${value}`,
  handlerState: (state: string, attempts: number, time: string) =>
    `          ${state} at ${time}, ${attempts} run(s)`,
  handlerError: (name: string, message: string) => `          ${name}: ${message}`,

  schemeFound: (scheme: string) => `Scheme      ${scheme}`,
  signedAt: (time: string, ageSeconds: number, toleranceSeconds: number) => {
    const age = ageSeconds < 0 ? `${-ageSeconds} s in the future` : `${ageSeconds} s ago`;
    const verdict = Math.abs(ageSeconds) <= toleranceSeconds ? 'within' : 'outside';
    return `Signed at   ${time}, ${age}: ${verdict} the tolerance of ${toleranceSeconds} s`;
  },
  clockHint: 'Hint        for a delivery of the past, give the time of its arrival: --now <unix seconds>',
  bodyRead: (bytes: number) => `Body        ${bytes} bytes`,
  matches: 'Signature   matches',
  mismatches: (secretCount: number) =>
    `Signature   matches none of the ${secretCount} secret(s) with these bytes`,
  variantMatches: (variant: string) =>
    `Cause       it does match ${variant}: the file is not what was signed`,
  noVariantMatches:
    'Hint        no usual change of the body explains it: the secret may be that of another endpoint',
  headersUnusable: (reason: string) => `Headers     ${reason}`,
  authentic: 'Authentic.',
  notAuthentic: 'Not authentic.',
} as const;
