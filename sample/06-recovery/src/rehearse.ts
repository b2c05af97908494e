import { rmSync } from 'node:fs';

const COUNT = Number(process.env.EVENTS ?? 80);
if (!(COUNT > 0 && COUNT % 8 === 0)) throw new Error('EVENTS must be a multiple of 8');

// A made-up secret and a file of its own: the rehearsal signs its own deliveries, and begins without a history.
process.env.SCALEKIT_WEBHOOK_SECRET = `whsec_${Buffer.from('a made-up secret for a rehearsal').toString('base64')}`;
process.env.HISTORY_FILE = 'rehearsal.db';
const FILES = ['', '-wal', '-shm'].map((end) => `rehearsal.db${end}`);
for (const file of FILES) rmSync(file, { force: true });

const { rehearse } = await import('./rehearsal.js');
const { lost, before, read, after, repeated, outOfOrder } = await rehearse(COUNT);
for (const file of FILES) rmSync(file, { force: true });

console.log(`
  events                          ${COUNT}
  given up by Scalekit            ${lost}
  in the history before           ${before}
  read from the Events API        ${read}
  in the history afterwards       ${after}
  repeated                        ${repeated}
  out of order                    ${outOfOrder}`);
if (after !== COUNT || repeated > 0 || outOfOrder > 0) process.exitCode = 1;
