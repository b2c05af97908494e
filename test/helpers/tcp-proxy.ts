import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { cleanUpAfterTest } from './cleanup.js';

/** A proxy before a service whose connections can be lost without being closed. It ends with its test. */
export class TcpProxy {
  /** While it is set, new connections are accepted, but never answered. */
  isSilent = false;
  /** While it is set, what the service sends on a new connection is passed on in one piece when the service closes it. */
  isSlow = false;
  readonly #sockets = new Set<Socket>();
  readonly #server: Server;

  private constructor(private readonly target: URL) {
    this.#server = createServer((client) => this.#accept(client));
  }

  static async start(target: string): Promise<TcpProxy> {
    const proxy = new TcpProxy(new URL(target));
    proxy.#server.listen(0, '127.0.0.1');
    await once(proxy.#server, 'listening');
    cleanUpAfterTest(() => proxy.#end());
    return proxy;
  }

  /** The URL of the service, through this proxy. */
  get url(): string {
    const address = this.#server.address();
    const url = new URL(this.target);
    url.hostname = '127.0.0.1';
    url.port = typeof address === 'object' && address ? String(address.port) : '';
    return url.href;
  }

  /** Loses the open connections: they stay open, but nothing passes any more. */
  loseConnections(): void {
    for (const socket of this.#sockets) {
      socket.unpipe();
      socket.pause();
    }
  }

  #accept(client: Socket): void {
    this.#keep(client);
    if (this.isSilent) return;
    // A stream that is corked writes nothing until it ends.
    if (this.isSlow) client.cork();
    const service = this.#keep(connect(Number(this.target.port), this.target.hostname));
    client.pipe(service).pipe(client);
  }

  #keep(socket: Socket): Socket {
    this.#sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => this.#sockets.delete(socket));
    return socket;
  }

  #end(): void {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
  }
}
