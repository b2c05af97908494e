import { RedisScript } from './redis-inbox.connection.js';
import { INDEXED_STATES } from './redis-inbox.keys.js';

// The rules that `inbox/claim.rules.ts` states, as Redis runs them: an event is a hash, with the fields `row:<handler>`
// ("state attempts updatedAt position"), `lease:<handler>` ("endsAt token") and `error:<handler>` (JSON). Fields this
// short let Redis keep the hash compact. Times are ms of the server's clock; scores are µs, to keep the order of receipt.
const BUCKET = `
local RECEIVED, EXPIRES = KEYS[1], KEYS[2]
local STATES = { ${INDEXED_STATES.map((state) => `'${state}'`).join(', ')} }
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local function unlist(members)
  for position = 1, 2 + #STATES do redis.call('ZREM', KEYS[position], unpack(members)) end
end

local function unlistExpired(most)
  local expired = redis.call('ZRANGEBYSCORE', EXPIRES, '-inf', '(' .. now, 'LIMIT', 0, most)
  if #expired > 0 then unlist(expired) end
  return #expired
end
`;

const EVENT = `${BUCKET}
local EVENT, PAYLOAD = KEYS[3 + #STATES], KEYS[4 + #STATES]
local member = ARGV[1]

local function parseRow(id, text, lease)
  if not text then return nil end
  local state, attempts, _, position = string.match(text, '^(%S+) (%S+) (%S+) (%S+)$')
  local endsAt, token = string.match(lease or '', '^(%S+) (.*)$')
  return {
    id = id, state = state, attempts = tonumber(attempts), position = tonumber(position),
    endsAt = tonumber(endsAt or 0), token = token
  }
end

local function readRow(id)
  return parseRow(id, unpack(redis.call('HMGET', EVENT, 'row:' .. id, 'lease:' .. id)))
end

local function readRows()
  local fields, values, rows = redis.call('HGETALL', EVENT), {}, {}
  for i = 1, #fields, 2 do values[fields[i]] = fields[i + 1] end
  for field, text in pairs(values) do
    local id = string.match(field, '^row:(.*)$')
    if id then rows[#rows + 1] = parseRow(id, text, values['lease:' .. id]) end
  end
  table.sort(rows, function(a, b) return a.position < b.position end)
  return rows
end

local function isRunning(row)
  return row.state == 'running' and row.endsAt > now
end

local function writeRow(row, state, attempts)
  local position = row.position or redis.call('HINCRBY', EVENT, 'handlers', 1)
  redis.call('HSET', EVENT, 'row:' .. row.id, state .. ' ' .. attempts .. ' ' .. now .. ' ' .. position)
end

-- Ends every script that has touched the event: it lasts anew, and is listed under the states it now has.
local function remember(retention)
  local received, expires, present = redis.call('HGET', EVENT, 'receivedAt'), now + retention, {}
  for _, row in ipairs(readRows()) do present[row.state] = true end
  redis.call('PEXPIREAT', EVENT, expires)
  redis.call('PEXPIREAT', PAYLOAD, expires)
  redis.call('ZADD', RECEIVED, received, member)
  redis.call('ZADD', EXPIRES, expires, member)
  for position, state in ipairs(STATES) do
    if present[state] then
      redis.call('ZADD', KEYS[2 + position], received, member)
    else
      redis.call('ZREM', KEYS[2 + position], member)
    end
  end
end
`;

/** ARGV: member, retention, token, duration, token to take over, type, occurredAt, payload, handler ids… */
export const CLAIM = new RedisScript(`${EVENT}
local token, duration, takesOver = ARGV[3], tonumber(ARGV[4]), ARGV[5]

local function claim(id)
  local row = readRow(id)
  if row and (row.state == 'done' or row.state == 'dead') then return row.state .. ' 0' end
  if row and row.state == 'queued' and takesOver == '' then return 'queued 0' end
  local handedOver = row and row.state == 'running' and row.token == takesOver
  if row and isRunning(row) and not handedOver then return 'running ' .. (row.endsAt - now) end
  local attempt = (row and row.attempts or 0) + (handedOver and 0 or 1)
  writeRow(row or { id = id }, 'running', attempt)
  redis.call('HSET', EVENT, 'lease:' .. id, (now + duration) .. ' ' .. token)
  redis.call('HDEL', EVENT, 'error:' .. id)
  return 'claimed ' .. attempt
end

unlistExpired(100)
if redis.call('EXISTS', EVENT) == 0 then
  local received = time[1] .. string.format('%06d', time[2])
  redis.call('HSET', EVENT, 'type', ARGV[6], 'occurredAt', ARGV[7], 'receivedAt', received)
  redis.call('SET', PAYLOAD, ARGV[8])
end
local claims = {}
for i = 9, #ARGV do claims[#claims + 1] = claim(ARGV[i]) end
remember(tonumber(ARGV[2]))
return claims
`);

/** ARGV: member, retention, token, then handler id, state and error (JSON, or empty) of each run. Answers positions. */
export const SETTLE = new RedisScript(`${EVENT}
local token, written = ARGV[3], {}
if redis.call('EXISTS', EVENT) == 0 then return written end
for i = 4, #ARGV, 3 do
  local id, state, failure = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  local row = readRow(id)
  if row and row.state == 'running' and row.token == token then
    local neverBegun = state == 'queued' and failure == ''
    writeRow(row, state, row.attempts - (neverBegun and 1 or 0))
    redis.call('HDEL', EVENT, 'lease:' .. id)
    if failure ~= '' then redis.call('HSET', EVENT, 'error:' .. id, failure) end
    written[#written + 1] = tostring((i - 4) / 3)
  end
end
remember(tonumber(ARGV[2]))
return written
`);

/** ARGV: member, retention, 'all' or 'asked', handler ids… Answers handler ids. */
export const REOPEN = new RedisScript(`${EVENT}
local all, asked, reopened = ARGV[3] == 'all', {}, {}
if redis.call('EXISTS', EVENT) == 0 then return reopened end
for i = 4, #ARGV do asked[ARGV[i]] = true end
for _, row in ipairs(readRows()) do
  local wanted = asked[row.id] or (all and row.state ~= 'done')
  if wanted and not isRunning(row) then
    writeRow(row, 'failed', row.attempts)
    redis.call('HDEL', EVENT, 'lease:' .. row.id)
    reopened[#reopened + 1] = row.id
  end
end
remember(tonumber(ARGV[2]))
return reopened
`);

/** ARGV: member, the time of receipt (µs) from which entries stay. Answers how many it forgot; unlists what is gone. */
export const FORGET = new RedisScript(`${EVENT}
local received = redis.call('HGET', EVENT, 'receivedAt')
if received then
  if tonumber(received) >= tonumber(ARGV[2]) then return 0 end
  for _, row in ipairs(readRows()) do
    if isRunning(row) then return 0 end
  end
end
unlist({ member })
redis.call('DEL', EVENT, PAYLOAD)
return received and 1 or 0
`);

/** ARGV: position of the index, score to read from, limit. Answers the index's size, then members and scores. */
export const READ_INDEX = new RedisScript(`${BUCKET}
local passes = 0
repeat passes = passes + 1 until unlistExpired(1000) < 1000 or passes == 10
local index, from, limit = KEYS[tonumber(ARGV[1])], ARGV[2], tonumber(ARGV[3])
local tied = redis.call('ZCOUNT', index, from, from)
local found = redis.call('ZRANGEBYSCORE', index, from, '+inf', 'WITHSCORES', 'LIMIT', 0, limit + tied)
table.insert(found, 1, tostring(redis.call('ZCARD', index)))
return found
`);
