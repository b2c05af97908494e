import { once } from 'node:events';
import { Agent, type IncomingMessage, request as open } from 'node:http';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { FuzzRequest } from './fuzz-request.js';
import type { MalformedCase } from './malformed.js';

export interface Answer {
  readonly status: number;
  readonly text: string;
}

/** A request without an answer after this time counts as hung. */
const ANSWER_TIMEOUT_MS = 15_000;
const PAUSE_BETWEEN_CHUNKS_MS = 2;

/** Sends requests over a few connections, which it keeps open. */
export class FuzzClient {
  readonly #agent: Agent;

  constructor(
    private readonly port: number,
    connections: number,
  ) {
    this.#agent = new Agent({ keepAlive: true, maxSockets: connections });
  }

  /** @throws Error if there is no answer */
  async send({ method, path, headers, body, chunked }: FuzzRequest): Promise<Answer> {
    const framing = chunked ? ['Transfer-Encoding', 'chunked'] : ['Content-Length', String(body.length)];
    const outgoing = open({
      host: '127.0.0.1',
      port: this.port,
      agent: this.#agent,
      method,
      path,
      // Node sends a flat list unchanged: same order, same case, names repeated.
      headers: ['Host', `127.0.0.1:${this.port}`, ...framing, ...headers.flat()],
      timeout: ANSWER_TIMEOUT_MS,
    });
    outgoing.once('timeout', () => outgoing.destroy(new Error('no answer in time')));
    outgoing.end(body);
    const [incoming] = (await once(outgoing, 'response')) as [IncomingMessage];
    const chunks: Buffer[] = [];
    for await (const chunk of incoming) chunks.push(chunk);
    return { status: incoming.statusCode ?? 0, text: Buffer.concat(chunks).toString() };
  }

  /** Sends bytes on a new connection, and resolves when it is closed. @returns the status of each answer */
  async sendMalformed({ chunks, after }: MalformedCase): Promise<number[]> {
    const socket = connect(this.port, '127.0.0.1');
    const received: Buffer[] = [];
    socket.on('data', (data) => received.push(data));
    // The server may reset such a connection, which also closes it.
    socket.on('error', () => {});
    const closed = new Promise((resolve) => socket.once('close', resolve));
    for (const chunk of chunks) {
      socket.write(chunk);
      await sleep(PAUSE_BETWEEN_CHUNKS_MS);
    }
    if (after === 'end') socket.end();
    if (after === 'destroy') socket.destroy();
    socket.setTimeout(ANSWER_TIMEOUT_MS, () => socket.destroy());
    const start = Date.now();
    await closed;
    if (Date.now() - start >= ANSWER_TIMEOUT_MS) throw new Error('the server left the connection open');
    const text = Buffer.concat(received).toString('latin1');
    return Array.from(text.matchAll(/HTTP\/1\.1 (\d{3})/g), ([, status]) => Number(status)).filter(
      (status) => status >= 200,
    );
  }

  close(): void {
    this.#agent.destroy();
  }
}
