// A child process that sends requests to a receiver. Each message is an order; the answer is a report.
import { createHmac } from 'node:crypto';
import autocannon from 'autocannon';
import { bodyOf, headersFor } from '../events.js';
import { PATH, SECRET, TYPICAL_TYPE } from './receiver.js';

/** What to send where. */
export interface LoadOrder {
  readonly port: number;
  readonly connections: number;
  readonly requestsPerConnection: number;
  /** Leaves the processor to the receiver's database while this process waits. */
  readonly leavesCpu?: boolean;
  /** Sends GitHub's headers instead of Scalekit's. */
  readonly asGitHub: boolean;
  /** The number of the first event. Each request carries the next one. */
  readonly firstEvent: number;
}

export interface LoadReport {
  readonly requestsPerSecond: number;
  readonly p99Ms: number;
  /** How many answers had a 2xx status. */
  readonly accepted: number;
}

process.on('message', async (order: LoadOrder) => process.send?.(await load(order)));
process.send?.('ready');

async function load(order: LoadOrder): Promise<LoadReport> {
  const { port, connections, requestsPerConnection, firstEvent } = order;
  const amount = connections * requestsPerConnection;
  const requests = Array.from({ length: amount }, (_, index) =>
    requestFor(firstEvent + index, order.asGitHub),
  );
  let next = 0;
  let firstAt = 0;
  let lastAt = 0;
  const stop = order.leavesCpu ? () => {} : keepAwake();
  const { latency, '2xx': accepted } = await autocannon({
    url: `http://127.0.0.1:${port}`,
    connections,
    amount,
    setupClient: (client) => {
      client.setRequests(requests.slice(next, next + requestsPerConnection));
      next += requestsPerConnection;
      // autocannon's own clock ticks only once a second.
      client.on('response', () => {
        lastAt = performance.now();
        firstAt ||= lastAt;
      });
    },
  });
  stop();
  return { requestsPerSecond: (amount / (lastAt - firstAt)) * 1000, p99Ms: latency.p99, accepted };
}

/** Keeps the event loop busy. On a virtual machine, waking this process would cost the receiver more than its answer. */
function keepAwake(): () => void {
  let turn: NodeJS.Immediate;
  const next = () => {
    turn = setImmediate(next);
  };
  next();
  return () => clearImmediate(turn);
}

function requestFor(event: number, asGitHub: boolean): autocannon.Request {
  const body = bodyOf(TYPICAL_TYPE, event);
  return { method: 'POST', path: PATH, headers: asGitHub ? gitHubHeaders(body) : headersFor(body), body };
}

function gitHubHeaders(body: Buffer): Record<string, string> {
  return {
    'content-type': 'application/json',
    'x-github-event': 'push',
    'x-github-delivery': crypto.randomUUID(),
    'x-hub-signature-256': `sha256=${createHmac('sha256', SECRET).update(body).digest('hex')}`,
  };
}
