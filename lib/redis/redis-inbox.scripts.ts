import { KEPT_ERROR } from '../inbox/run-states.js';
import { RedisScript } from './redis-inbox.connection.js';
import { BUCKET } from './redis-inbox.index.js';

// The scripts apply the same rules as `inbox/run-states.ts`. An event is a hash. For each handler it has the fields
// `run:<handler>` ("state attempts updatedAt position"), `lease:<handler>` ("endsAt token") and `error:<handler>` (JSON).
// Short fields let Redis store the hash compactly. Times are ms of the server's clock. The scores of the state indexes and
// of `received` are µs, to keep the order of receipt.

const EVENT = `${BUCKET}
local EVENT, PAYLOAD = KEYS[5 + #STATES], KEYS[6 + #STATES]
local member = ARGV[1]

-- The event's runs by handler, and the states that they had before the script.
local stored, fields, runs, before = redis.call('HGETALL', EVENT), {}, {}, {}
local exists, isListedElsewhere = #stored > 0, false
for i = 1, #stored, 2 do fields[stored[i]] = stored[i + 1] end
for field, text in pairs(fields) do
  local id = string.match(field, '^run:(.*)$')
  if id then
    local state, attempts, _, position = string.match(text, '^(%S+) (%S+) (%S+) (%S+)$')
    local endsAt, token = string.match(fields['lease:' .. id] or '', '^(%S+) (.*)$')
    runs[id] = {
      id = id, state = state, attempts = tonumber(attempts), position = tonumber(position),
      endsAt = tonumber(endsAt or 0), token = token
    }
    before[state] = true
  end
end

local function setError(id, failure)
  fields['error:' .. id], isListedElsewhere = failure, true
  if failure then redis.call('HSET', EVENT, 'error:' .. id, failure) else redis.call('HDEL', EVENT, 'error:' .. id) end
end

-- What an erased event keeps of an error, whose name comes first in its JSON.
local function erasedError(failure)
  if string.find(failure, '{"name":"${KEPT_ERROR}","message":"', 1, true) == 1 then return failure end
  return string.match(failure, '^(.-","message":").*$') .. '"}'
end

-- Whether a filter finds the runs of a handler that are in this state.
local function isListed(state)
  return state == 'queued' or state == 'failed' or state == 'dead'
end

-- Under what the filters find the event.
local function label()
  local codes, errors = { codeOf('t', fields.type) }, {}
  if fields.organization then codes[#codes + 1] = codeOf('o', fields.organization) end
  if fields.entity then codes[#codes + 1] = codeOf('e', fields.entity) end
  for id, run in pairs(runs) do
    codes[#codes + 1] = codeOf('h', id)
    if isListed(run.state) then codes[#codes + 1] = codeOf(string.sub(run.state, 1, 1), id) end
    errors[#errors + 1] = fields['error:' .. id]
  end
  return labelOf(fields.receivedAt, codes, errors)
end

local function inOrder()
  local list = {}
  for _, run in pairs(runs) do list[#list + 1] = run end
  table.sort(list, function(a, b) return a.position < b.position end)
  return list
end

local function isRunning(run)
  return run.state == 'running' and run.endsAt > now
end

local function writeRun(run, state, attempts)
  if run.state ~= state and (run.state == nil or isListed(run.state) or isListed(state)) then isListedElsewhere = true end
  run.state, run.attempts = state, attempts
  run.position = run.position or redis.call('HINCRBY', EVENT, 'handlers', 1)
  runs[run.id] = run
  redis.call('HSET', EVENT, 'run:' .. run.id, state .. ' ' .. attempts .. ' ' .. now .. ' ' .. run.position)
end

-- Call this at the end of every script that writes runs: it renews the expiry, lists the event under what it is now, and drops
-- its payload if all runs are done and its store drops payloads. ARGV: member, retention, 'drop' or empty.
local function touch()
  local expires, present, isOpen = now + tonumber(ARGV[2]), {}, false
  for _, run in pairs(runs) do
    present[run.state] = true
    isOpen = isOpen or run.state ~= 'done'
  end
  -- The command line does not know which payloads the application drops.
  if (ARGV[3] == 'drop' or fields.drops) and not isOpen then
    redis.call('DEL', PAYLOAD)
    redis.call('HDEL', EVENT, 'delivery')
  end
  redis.call('PEXPIREAT', EVENT, expires)
  redis.call('PEXPIREAT', PAYLOAD, expires)
  redis.call('ZADD', EXPIRES, expires, member)
  if not exists then redis.call('ZADD', RECEIVED, fields.receivedAt, member) end
  if not exists or isListedElsewhere then relabel(member, label()) end
  for position, state in ipairs(STATES) do
    if present[state] and not before[state] then
      redis.call('ZADD', KEYS[2 + position], fields.receivedAt, member)
    elseif not present[state] and (before[state] or not exists) then
      -- An event that Redis has evicted is still listed.
      redis.call('ZREM', KEYS[2 + position], member)
    end
  end
end
`;

/**
 * ARGV: member, retention, 'drop' or empty, token, duration, token to take over, 'queued' to take queued runs, type, occurredAt,
 * payload, organization, entity and delivery (these can be empty), handler ids…
 * Returns a claim for each handler: its state, a space, and the attempt or when the lease ends in ms.
 */
export const CLAIM = new RedisScript(`${EVENT}
local token, duration, takesOver, takesQueued = ARGV[4], tonumber(ARGV[5]), ARGV[6], ARGV[7] == 'queued'

local function claim(id)
  local run = runs[id]
  if run and (run.state == 'done' or run.state == 'dead') then return run.state .. ' 0' end
  if run and run.state == 'queued' and takesOver == '' and not takesQueued then return 'queued 0' end
  local goesOn = run and run.state == 'running' and (run.token == token or run.token == takesOver)
  if run and isRunning(run) and not goesOn then return 'running ' .. (run.endsAt - now) end
  local attempt = (run and run.attempts or 0) + (goesOn and 0 or 1)
  if fields['error:' .. id] then setError(id, nil) end
  if fields['note:' .. id] then redis.call('HDEL', EVENT, 'note:' .. id) end
  run = run or { id = id }
  run.endsAt, run.token = now + duration, token
  writeRun(run, 'running', attempt)
  redis.call('HSET', EVENT, 'lease:' .. id, run.endsAt .. ' ' .. token)
  return 'claimed ' .. attempt
end

unlistExpired(100)
if not exists then
  fields.receivedAt, fields.type = time[1] .. string.format('%06d', time[2]), ARGV[8]
  local known = { 'type', ARGV[8], 'occurredAt', ARGV[9], 'receivedAt', fields.receivedAt }
  for position, name in ipairs({ 'organization', 'entity', 'delivery' }) do
    local value = ARGV[10 + position]
    if value ~= '' then
      fields[name], known[#known + 1], known[#known + 2] = value, name, value
    end
  end
  redis.call('HSET', EVENT, unpack(known))
  redis.call('SET', PAYLOAD, ARGV[10])
elseif ARGV[3] == 'drop' and not fields.erasedAt then
  -- It may have been dropped. If no run needs it, it is dropped again.
  redis.call('SET', PAYLOAD, ARGV[10], 'NX')
  if ARGV[13] ~= '' then redis.call('HSETNX', EVENT, 'delivery', ARGV[13]) end
end
if ARGV[3] == 'drop' and not fields.drops then redis.call('HSET', EVENT, 'drops', '1') end
local claims = {}
for i = 14, #ARGV do claims[#claims + 1] = claim(ARGV[i]) end
touch()
return claims
`);

/**
 * ARGV: member, retention, 'drop' or empty, token, then for each run its handler id, state and error (JSON, or empty).
 * Returns the positions of the runs that were written, counted from 0.
 */
export const SETTLE = new RedisScript(`${EVENT}
local token, written = ARGV[4], {}
if not exists then return written end
for i = 5, #ARGV, 3 do
  local id, state, failure = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  local run = runs[id]
  local isHeld = run and run.token == token
  if isHeld and run.state == 'running' then
    local notStarted = state == 'queued' and failure == ''
    writeRun(run, state, run.attempts - (notStarted and 1 or 0))
    if failure ~= '' then setError(id, fields.erasedAt and erasedError(failure) or failure) end
  end
  -- A settlement that is repeated, because its response was lost, has been written.
  if isHeld and run.state == state then written[#written + 1] = tostring((i - 5) / 3) end
end
touch()
return written
`);

/** ARGV: member, retention, 'drop' or empty, 'all' or 'asked', handler ids… Returns the ids of the handlers that were changed. */
export const REOPEN = new RedisScript(`${EVENT}
local all, asked, reopened = ARGV[4] == 'all', {}, {}
if not exists then return reopened end
for i = 5, #ARGV do asked[ARGV[i]] = true end
for _, run in ipairs(inOrder()) do
  local wanted = asked[run.id] or (all and run.state ~= 'done')
  if wanted and not isRunning(run) then
    writeRun(run, 'failed', run.attempts)
    redis.call('HDEL', EVENT, 'lease:' .. run.id)
    reopened[#reopened + 1] = run.id
  end
end
touch()
return reopened
`);

/**
 * Makes dead and failed runs done. They keep their error. ARGV: as for {@link REOPEN}. Returns the ids of the handlers that
 * were changed.
 */
export const DISMISS = new RedisScript(`${EVENT}
local all, asked, dismissed = ARGV[4] == 'all', {}, {}
if not exists then return dismissed end
for i = 5, #ARGV do asked[ARGV[i]] = true end
for _, run in ipairs(inOrder()) do
  if (all or asked[run.id]) and (run.state == 'dead' or run.state == 'failed') then
    writeRun(run, 'done', run.attempts)
    redis.call('HDEL', EVENT, 'lease:' .. run.id)
    dismissed[#dismissed + 1] = run.id
  end
end
touch()
return dismissed
`);

/**
 * Deletes an event that was received before a time, unless it has a run in progress. An event that no longer exists is
 * removed from the indexes. ARGV: member, the time in µs. Returns how many events were deleted.
 */
export const DELETE_EVENT = new RedisScript(`${EVENT}
if exists then
  if tonumber(fields.receivedAt) >= tonumber(ARGV[2]) then return 0 end
  for _, run in pairs(runs) do
    if isRunning(run) then return 0 end
  end
end
unlist({ member })
redis.call('DEL', EVENT, PAYLOAD)
return exists and 1 or 0
`);

/**
 * Erases an event. One that no longer exists is removed from the indexes. ARGV: member. Returns how many events were erased that
 * were not before.
 */
export const ERASE = new RedisScript(`${EVENT}
if not exists then
  unlist({ member })
  return 0
end
redis.call('DEL', PAYLOAD)
redis.call('HDEL', EVENT, 'delivery')
for field, failure in pairs(fields) do
  if string.sub(field, 1, 6) == 'error:' then setError(string.sub(field, 7), erasedError(failure)) end
end
relabel(member, label())
return redis.call('HSETNX', EVENT, 'erasedAt', now)
`);

/** KEYS: the payload, the event. ARGV: the old payload, the new one, the delivery or empty. Returns whether it replaced them. */
export const REPLACE_TEXTS = new RedisScript(`
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
local left = redis.call('PTTL', KEYS[1])
redis.call('SET', KEYS[1], ARGV[2])
if left > 0 then redis.call('PEXPIRE', KEYS[1], left) end
if ARGV[3] ~= '' then redis.call('HSET', KEYS[2], 'delivery', ARGV[3]) end
return 1
`);

/**
 * Looks at an attempt that may have an entity. If its lease has ended, that lease no longer holds the run, so that the
 * attempt can no longer be settled. ARGV: member, handler id, token, and a note to write if the attempt is in progress, or
 * empty. Returns 'running', 'done', or 'ended' in any other way.
 */
export const LOOK = new RedisScript(`${EVENT}
local id, token, note = ARGV[2], ARGV[3], ARGV[4]
local run = runs[id]
if not run or run.token ~= token then return { 'ended' } end
if run.state ~= 'running' then return { run.state == 'done' and 'done' or 'ended' } end
if isRunning(run) then
  if note ~= '' then redis.call('HSET', EVENT, 'note:' .. id, note) end
  return { 'running' }
end
redis.call('HSET', EVENT, 'lease:' .. id, run.endsAt .. ' -')
return { 'ended' }
`);

/**
 * Gives an entity to a run, unless another one may have it, or a newer event is done.
 *
 * KEYS: the entity. ARGV: retention, event (as in the indexes), token, when the event happened in µs; then what is known of
 * the run that has the entity: its event, its token, and how it ended, as 'done' or 'ended'. All three are empty at first.
 * Returns 'admitted', 'stale', or 'held' with the event and the token of the run to look at.
 */
export const ADMIT = new RedisScript(`
local event, token, occurredAt = ARGV[2], ARGV[3], tonumber(ARGV[4])
local known, knownToken, knownEnd = ARGV[5], ARGV[6], ARGV[7]
local last, lastToken, lastAt, doneAt = unpack(redis.call('HMGET', KEYS[1], 'event', 'token', 'occurredAt', 'doneAt'))
doneAt = tonumber(doneAt or '-inf')
if doneAt > occurredAt then return { 'stale' } end
if last and lastToken ~= token then
  if last ~= known or lastToken ~= knownToken then return { 'held', last, lastToken } end
  if knownEnd == 'done' and last ~= event then doneAt = math.max(doneAt, tonumber(lastAt)) end
end
if doneAt > occurredAt then return { 'stale' } end
redis.call('HSET', KEYS[1], 'event', event, 'token', token, 'occurredAt', ARGV[4])
if doneAt > -math.huge then redis.call('HSET', KEYS[1], 'doneAt', string.format('%.0f', doneAt)) end
redis.call('PEXPIRE', KEYS[1], ARGV[1])
return { 'admitted' }
`);
