// The process that loads a receiver. Each message is an order, each answer what came of it.
import { createHmac } from 'node:crypto';
import autocannon from 'autocannon';
import { SECRET } from '../../helpers/secrets.js';
import { bodyOf, headersFor, TYPICAL_TYPE } from '../events.js';
import { PATH } from './receiver.js';

/** What to load, and how. */
export interface LoadOrder {
  readonly port: number;
  readonly connections: number;
  readonly requestsPerConnection: number;
  /** GitHub's headers instead of Scalekit's. */
  readonly asGitHub: boolean;
  /** Where the numbers of the events begin, so that each request is of another event. */
  readonly firstEvent: number;
}

/** What the receiver made of it. */
export interface LoadReport {
  readonly requestsPerSecond: number;
  readonly p99Ms: number;
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
  const rest = stayAwake();
  const { latency, '2xx': accepted } = await autocannon({
    url: `http://127.0.0.1:${port}`,
    connections,
    amount,
    setupClient: (client) => {
      client.setRequests(requests.slice(next, next + requestsPerConnection));
      next += requestsPerConnection;
      // Its own clock ticks once a second.
      client.on('response', () => {
        lastAt = performance.now();
        firstAt ||= lastAt;
      });
    },
  });
  rest();
  return { requestsPerSecond: (amount / (lastAt - firstAt)) * 1000, p99Ms: latency.p99, accepted };
}

/** Keeps the event loop turning: on a virtual machine, to wake a process up costs the receiver more than its answer. */
function stayAwake(): () => void {
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
