// `npm run storm`: the stress test. While events arrive, it kills processes, restarts servers, ends connections and fails
// settlements. It checks that no run is lost or dead, that no transactional effect is repeated, and that order is kept. It needs a
// build.
import type { JournalLine } from './journal.js';
import { type StormResult, storm } from './storm.js';
import {
  runKey,
  STORM_MODES,
  type StormMode,
  type StormOptions,
  usesSqlite,
  worksFromInbox,
} from './storm.settings.js';

const { STORM_EVENTS, STORM_SEED, STORM_MODE, STORM_KILL_MS, STORM_LIMIT_S } = process.env;
const options: StormOptions = {
  events: Number(STORM_EVENTS ?? 5000),
  seed: Number(STORM_SEED ?? 1),
  processes: 3,
  workers: 2,
  killEveryMs: Number(STORM_KILL_MS ?? 1000),
  endConnectionsEveryMs: 1000,
  restarts: 2,
  limitMs: Number(STORM_LIMIT_S ?? 1800) * 1000,
};
const modes = STORM_MODE ? STORM_MODE.split(',').map(modeNamed) : STORM_MODES;
const SHOWN = 5;
const SHOWN_HISTORIES = 2;
// So few may not meet with every kind of trouble.
const FEW_EVENTS = 300;

// Exiting ends the servers too.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));

const rows: Record<string, string | number>[] = [];
for (const mode of modes) {
  const result = await storm(mode, options);
  rows.push(rowOf(result));
  console.log(`${mode}: ${JSON.stringify(result.statuses)}`);
  for (const broken of brokenPromises(result)) {
    console.log(`${mode}: ${broken}; repeat with STORM_MODE=${mode} STORM_SEED=${options.seed}`);
    process.exitCode = 1;
  }
  for (const run of brokenRuns(result)) printHistory(run, result.lines);
}
console.table(rows);

function modeNamed(name: string): StormMode {
  const mode = STORM_MODES.find((known) => known === name);
  if (!mode) throw new Error(`STORM_MODE takes ${STORM_MODES.join(', ')}; found ${name}`);
  return mode;
}

function rowOf(result: StormResult): Record<string, string | number> {
  const { mode, lost, repeatedTransactional, deadByAccident } = result;
  const hasTransactions = repeatedTransactional !== undefined;
  return {
    mode,
    events: result.events,
    requests: result.requests,
    kills: result.kills,
    outages: result.outages,
    'ended conn.': usesSqlite(mode) ? '-' : result.endedConnections,
    faults: result.faults,
    swallowed: hasTransactions ? result.swallowed : '-',
    early: result.early,
    lost: lost.length,
    dead: deadByAccident.length,
    refused: result.refused,
    exposed: result.exposed.length,
    'repeated in tx': hasTransactions ? repeatedTransactional.length : '-',
    'repeated plain': result.repeatedPlain,
    'cut by kill': result.cutByKill,
    'cut by outage': result.cutByOutage,
    'out of order': result.pairs > 0 ? result.overlapping.length + result.overtaking.length : '-',
    late: result.pairs > 0 ? result.late : '-',
    'drain s': Math.round(result.drainMs / 1000),
    seconds: Math.round(result.seconds),
  };
}

function brokenPromises(result: StormResult): string[] {
  const { lost, repeatedTransactional = [], unexplained, deadByAccident, unacknowledged, open } = result;
  const { overlapping, overtaking, drainMs } = result;
  return [
    unacknowledged > 0 && `${unacknowledged} events were not acknowledged in time`,
    open > 0 && `${open} entries in the inbox are still open ${Math.round(drainMs / 1000)} s after the storm`,
    lost.length > 0 && `${lost.length} runs are lost: ${some(lost)}`,
    deadByAccident.length > 0 &&
      `${deadByAccident.length} runs are dead that could have succeeded: ${some(deadByAccident)}`,
    repeatedTransactional.length > 0 &&
      `${repeatedTransactional.length} transactional effects are repeated: ${some(repeatedTransactional)}`,
    unexplained.length > 0 &&
      `${unexplained.length} runs have repeated plain effects although nothing cut an attempt short (${result.lapsed} attempts were taken over, ${result.unsettled} could not be recorded): ${some(unexplained)}`,
    overlapping.length > 0 &&
      `${overlapping.length} runs were executed while another one of their entity was: ${some(overlapping)}`,
    overtaking.length > 0 &&
      `${overtaking.length} runs were taken although an older one of their entity waited: ${some(overtaking)}`,
    result.exposed.length > 0 &&
      `${result.exposed.length} of ${result.addresses} email addresses are stored in plain text: ${some(result.exposed)}`,
    result.addresses === 0 && 'no event had an email address',
    ...(result.events < FEW_EVENTS ? [] : calms(result)),
    ...result.crashes,
  ].filter((broken) => typeof broken === 'string');
}

/** What the storm was to do, but did not. */
function calms(result: StormResult): (string | false)[] {
  const { mode, repeatedTransactional, endedConnections, faults, swallowed, early, kills, outages } = result;
  return [
    kills === 0 && 'no process was killed',
    outages < options.restarts && `the inbox was down only ${outages} times`,
    result.pairs === 0 && worksFromInbox(mode) && 'no two events were about the same entity',
    endedConnections === 0 && !usesSqlite(mode) && 'no connection was ended',
    faults === 0 && 'no settlement failed',
    swallowed === 0 && repeatedTransactional !== undefined && 'no attempt swallowed an error',
    early === 0 && 'no event came too early',
  ];
}

function brokenRuns(result: StormResult): string[] {
  const { lost, repeatedTransactional = [], unexplained, deadByAccident, overlapping, overtaking } = result;
  return [
    ...lost,
    ...repeatedTransactional,
    ...unexplained,
    ...deadByAccident,
    ...overlapping,
    ...overtaking,
  ].slice(0, SHOWN_HISTORIES);
}

function printHistory(run: string, lines: readonly JournalLine[]): void {
  const own = lines.filter(({ handlerId, eventId }) => runKey(handlerId, eventId) === run);
  console.log(`${run}:`);
  for (const { at, pid, attempt, step } of own.sort((a, b) => a.at - b.at)) {
    console.log(`  ${new Date(at).toISOString()} process ${pid}, attempt ${attempt}: ${step}`);
  }
}

function some(ids: readonly string[]): string {
  return ids.slice(0, SHOWN).join(', ');
}
