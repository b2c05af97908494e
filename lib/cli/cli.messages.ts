/** Every text that the CLI prints, except for its help. None contains a secret or a digest. */
export const CLI_MESSAGES = {
  notJsonObject: (option: string) => `${option} must be a JSON object, for example {"data":{"id":"org_1"}}.`,
  notAPositiveInteger: 'Use a whole number greater than 0.',
  notANumberOfSeconds: 'Use a whole number of seconds, 0 or more.',
  notAnHttpUrl: 'Use an http:// or https:// URL.',
  fileUnreadable: (path: string, reason: string) => `Cannot read ${path} (${reason}).`,
  secretMissing: (variable: string) =>
    `No signing secret. Set ${variable} to the endpoint's signing secret, in the environment or in a .env file, or use ` +
    '--secret. For development, generate one with `scalekit-webhooks secret`.',
  secretIsLocal: 'Scalekit does not know this secret. Use it for development only.',
  typeUnknown: (type: string, nearest: readonly string[]) =>
    `Unknown event type "${type}". Did you mean ${nearest.join(', ')}? ` +
    'Run `scalekit-webhooks events` to list all types, or add --unlisted to send it anyway.',
  headersUnreadable: (path: string) =>
    `No headers found in ${path}. Write one "Name: value" per line, or a JSON object.`,

  answered: (status: number, event: string, milliseconds: number, body: string) =>
    [`${status}  ${event}  ${milliseconds} ms`, body].filter((part) => part !== '').join('  '),
  unanswered: (event: string, reason: string) => `---  ${event}  ${reason}`,
  connectionRefused: (origin: string) => `connection refused; is the application running at ${origin}?`,
  hostUnknown: (origin: string) => `host not found; is ${origin} the right address?`,
  connectionBroken: 'the server closed the connection without a response',
  timedOut: (seconds: number) => `no response within ${seconds} s`,
  signatureRefused:
    'The endpoint refused the signature. Use the secret of the application: --secret, SCALEKIT_WEBHOOK_SECRET or .env.',
  replayRefused:
    'The endpoint refused the signature. Use the secret of the application: --secret, SCALEKIT_WEBHOOK_SECRET or .env. ' +
    'An endpoint with a `verifier` accepts replays only if it also has that secret, and if the verifier accepts them.',
  redirected: (location: string | undefined) =>
    `Not the endpoint: a redirect${location === undefined ? '' : ` to ${location}`}. Scalekit does not follow redirects. ` +
    'Use the URL of the endpoint itself.',
  noRoute: (path: string) =>
    `Not the endpoint: nothing receives POST ${path}. At startup, the application logs where it receives events. ` +
    'Check the global prefix, and use --url.',
  guarded:
    "Not the endpoint: something in front of it refused the request, such as a global guard or a proxy. The controllerDecorators option lets the endpoint through your application's guards.",
  throttled:
    'Not the endpoint: something in front of it limits the rate, such as ThrottlerGuard. Exclude the endpoint, for example with controllerDecorators.',
  htmlPage: (origin: string) =>
    `Not the endpoint: a web page. Another server may be running at ${origin}. Use --url.`,
  notTheEndpoint: (path: string) =>
    `Not the endpoint: something else answered POST ${path}, such as another route, an interceptor or a proxy.`,
  requestFailed: (reason: string) => `the request failed (${reason})`,
  summary: (tally: readonly (readonly [string, number])[]) =>
    tally.map(([response, count]) => `${count} x ${response}`).join(', '),

  inboxMissing: (variable: string) =>
    `No inbox. Set ${variable} to the inbox of your application, in the environment or in a .env file, or use --store (postgres://..., redis://... or sqlite:<file>).`,
  inboxUrlUnknown: 'Unsupported inbox URL. Use postgres://..., redis://..., rediss://... or sqlite:<file>.',
  inboxFailed: (reason: string) => `Cannot access the inbox: ${reason}`,
  optionOfOtherStore: (option: string, store: string) => `${option} does not apply to a ${store} inbox.`,
  applicationMissing: (store: string) =>
    `A ${store} inbox can hold the events of several applications. Name yours with --application, as in the ` +
    '`application` option of its store, for example --application billing.',
  driverMissing: (store: string, packages: readonly string[]) =>
    `A ${store} inbox needs ${packages.join(' or ')}. Run \`npm install ${packages[0]}\` in the folder of your ` +
    'application, then run this command there.',
  sqliteFileMissing: (path: string) => `File not found: ${path}`,
  inboxNotFound: (place: string) =>
    `No inbox found in ${place}. Check the URL, and use --schema or --prefix if your application sets them.`,
  sinceNotBeforeUntil: '--since must be before --until.',
  credentialsMissing: (variables: readonly string[]) =>
    `No credentials for the Events API. Set ${variables.join(', ')}, in the environment or in a .env file. The Scalekit dashboard shows them under Settings > API credentials.`,
  credentialsInvalid: (reason: string) => `The credentials for the Events API cannot be used: ${reason}`,
  sdkMissing: (name: string) =>
    `This command needs ${name}. Run \`npm install ${name}\` in the folder of your application, then run this command there.`,
  recoverStopped: (time: string) =>
    `Stopped, because the endpoint did not accept the event. To continue from here, use --since ${time}`,
  nothingToRecover: 'No events found.',
  notATime: 'Use an ISO 8601 date such as 2026-01-31 or 2026-01-31T12:00:00Z, or an age such as 30d or 12h.',
  timeInTheFuture: 'This time is in the future. Use a time in the past.',
  noEntries: (application?: string) =>
    application === undefined
      ? 'No events found.'
      : `No events found for application ${JSON.stringify(application)}.`,
  moreEntries: (cursor: string) => `There are more events. To see them, add --cursor ${cursor}`,
  eventUnknown: (eventId: string, endpoint: string) =>
    `The inbox of endpoint ${JSON.stringify(endpoint)} has no event ${JSON.stringify(eventId)}. ` +
    'If another endpoint or application received it, use --endpoint or --application.',
  payloadMissing: 'the inbox has no payload for this event',
  payloadNotDecrypted: (variable: string) =>
    `the payload cannot be decrypted; set ${variable} to the keys of your application`,
  payloadUnreadable: (variable: string, keyId: string | undefined) =>
    `The payload of this event cannot be decrypted${keyId === undefined ? '' : ` with the key "${keyId}"`}. Set ${variable} to the keys of your application, as <id>:<secret>, separated by commas. If the key is already there, the payload was changed.`,
  inboxKeysInvalid: (variable: string) =>
    `${variable} must be one or more keys as <id>:<secret>, separated by commas. Each secret is 32 bytes as base64; generate one with \`scalekit-webhooks secret --encryption\`. Ids must differ.`,
  inboxKeysMissing: (variable: string) =>
    `No keys. Set ${variable} to the keys of your application, as <id>:<secret>, separated by commas, with the new key first.`,
  reencrypting: (events: number, cursor: string) =>
    `${counted(events, 'event')} so far. If the command is interrupted, continue with --cursor ${cursor}`,
  reencryptFailed: (cursor: string) => `To continue from here, add --cursor ${cursor}`,
  reencrypted: (rewritten: number, unchanged: number, unreadable: number) =>
    `Encrypted ${counted(rewritten, 'payload')} with the first key. ${counted(unchanged, 'event')} needed no change. ${unreadable} cannot be decrypted.`,
  unreadableEntry: (endpoint: string, eventId: string) => `cannot be decrypted  ${endpoint}  ${eventId}`,
  encryptionSecretIsKey:
    'Keep this key as safe as a password, and back it up: without it, the payloads that it encrypted are lost.',
  payloadErased: 'the payload of this event was erased',
  notOneToErase: 'Use either --organization or --entity.',
  notErased: (count: number) =>
    `Nothing was erased. To erase ${counted(count, 'event')} permanently, add --yes.`,
  erased: (count: number) => `Erased ${counted(count, 'event')}.`,
  pruned: (count: number, time: string) => `Deleted ${counted(count, 'event')} received before ${time}.`,
  eventsMissing: 'Specify either an event ID, or at least one condition, such as --state dead.',
  receivedNever: '--received-after must be before --received-before.',
  emptyText: 'Use at least one character.',
  notAnEntity: 'Use an entity as `inbox show` prints it, for example user:usr_1 or organization:org_1.',
  notARate: 'Use a number of events per second from 0.001 to 1000.',
  dismissed: (eventId: string, handlerIds: readonly string[]) =>
    `${eventId}  dismissed ${handlerIds.join(', ')}`,
  nothingToDismiss: 'Nothing to dismiss: only runs that are dead or failed can be dismissed.',
  runUnknown: (handlerId: string, known: readonly string[]) =>
    `This event has no run of ${JSON.stringify(handlerId)}. It has runs of: ${known.join(', ') || 'no handler'}.`,
  noRuns: 'No runs found.',
  totalRuns: (totals: readonly string[]) => `All handlers: ${totals.join(', ')}`,
  replayStopped:
    'Stopped, because the endpoint did not accept the event. The remaining events were not sent.',
  handlerUnknown: (handlerIds: readonly string[]) =>
    `The endpoint has no handler ${handlerIds.map((id) => JSON.stringify(id)).join(' or ')}. The application lists its handlers at startup.`,
  otherInbox:
    'The endpoint does not have this event in its inbox. Check that --store and --application name the inbox of this ' +
    'application, and that --url and --endpoint name the same endpoint.',
  notReplayed: 'The endpoint handled the event, but not as a replay: its version of this package is too old.',
  entryField: (name: string, value: string) => `${name.padEnd(10)}${value}`,
  runState: (state: string, attempts: number, time: string, note?: string) =>
    `          ${note ? `${state} (${note})` : state}, ${counted(attempts, 'attempt')}, updated ${time}`,
  runError: (name: string, message: string) => `          ${message ? `${name}: ${message}` : name}`,

  bodyRead: (bytes: number) => `Body        ${counted(bytes, 'byte')}`,
  schemeFound: (scheme: string) => `Scheme      ${scheme}`,
  signedAt: (time: string, ageSeconds: number, toleranceSeconds: number) => {
    const age = ageSeconds < 0 ? `${-ageSeconds} s in the future` : `${ageSeconds} s ago`;
    const verdict = Math.abs(ageSeconds) <= toleranceSeconds ? 'within' : 'outside';
    return `Signed at   ${time}, ${age} (${verdict} the tolerance of ${toleranceSeconds} s)`;
  },
  clockHint: 'Hint        to check an old delivery, pass the time when it arrived: --now <unix-seconds>',
  matches: 'Signature   matches',
  mismatches: (secretCount: number) =>
    `Signature   of this body does not match ${secretCount === 1 ? 'the secret' : `any of the ${secretCount} secrets`}`,
  variantMatches: (variant: string) =>
    `Cause       the signature matches ${variant}, so the secret is right, and the body file is not what was signed`,
  bodyDamaged: {
    empty: 'Cause       the body file is empty, so it is not what was signed',
    not_text: 'Cause       the body file is not UTF-8 text, as JSON must be, so it is not what was signed',
    lost_characters:
      'Cause       the body file contains U+FFFD, which replaces characters that could not be read, so it is probably not what was signed',
    not_json:
      'Cause       the body file is not valid JSON, so it is incomplete or was changed after it was signed',
    not_an_event:
      'Cause       the body file is not a complete event (id, type and data), so it is not what was signed. Save the complete body',
    formatted:
      'Cause       the body file is formatted JSON. Scalekit sends compact JSON, so it was probably changed. Save the bytes as they arrive, before any parser',
  },
  noVariantMatches:
    'Hint        no common change to the body explains this; the secret may belong to another endpoint, or a value was changed',
  headersUnusable: (reason: string) => `Headers     ${reason}`,
  authentic: 'Verified.',
  notAuthentic: 'Verification failed.',
} as const;

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
