import { Inject, Injectable, type OnApplicationBootstrap, type OnModuleInit } from '@nestjs/common';
import { HttpAdapterHost, ModulesContainer } from '@nestjs/core';
import { LogWriter } from '../dispatch/delivery.log.js';
import { type DispatchOptions, Drain, RESOLVED_OPTIONS } from '../dispatch/dispatch.providers.js';
import { EndpointHandlers } from '../dispatch/endpoint.handlers.js';
import { toRunError } from '../dispatch/handler-failure.js';
import { TIMED_OUT, waitAtMost } from '../dispatch/timeout.js';
import { ScalekitWebhooksConfigurationError, ScalekitWebhooksError } from '../errors/errors.js';
import { withoutSecrets, withoutUrls } from '../errors/safe-text.js';
import { EndpointUrl } from './endpoint.routes.js';
import { EndpointSecrets } from './endpoint.secrets.js';
import { MESSAGES } from './receive.messages.js';
import { ENDPOINT_OPTIONS, type EndpointOptions } from './receive.options.js';

/** How long the inbox has for its ping. The application does not wait for it. */
const PING_TIMEOUT_MS = 5000;

/**
 * Logs the endpoint at startup: its URL, its handlers, its warnings, and what is wrong with its inbox. Rejects two endpoints
 * with the same name.
 */
@Injectable()
export class EndpointReporter implements OnModuleInit, OnApplicationBootstrap {
  readonly #endpoint: EndpointOptions;
  readonly #url: EndpointUrl;
  readonly #handlers: EndpointHandlers;
  readonly #secrets: EndpointSecrets;
  readonly #host: HttpAdapterHost;
  readonly #modules: ModulesContainer;
  readonly #options: DispatchOptions;
  #inboxChecked: Promise<void> = Promise.resolve();

  constructor(
    @Inject(ENDPOINT_OPTIONS) endpoint: EndpointOptions,
    @Inject(EndpointUrl) url: EndpointUrl,
    @Inject(EndpointHandlers) handlers: EndpointHandlers,
    @Inject(EndpointSecrets) secrets: EndpointSecrets,
    @Inject(HttpAdapterHost) host: HttpAdapterHost,
    @Inject(ModulesContainer) modules: ModulesContainer,
    @Inject(RESOLVED_OPTIONS) options: DispatchOptions,
    @Inject(Drain) drain: Drain,
  ) {
    this.#endpoint = endpoint;
    this.#url = url;
    this.#handlers = handlers;
    this.#secrets = secrets;
    this.#host = host;
    this.#modules = modules;
    this.#options = options;
    drain.add(() => this.#inboxChecked);
  }

  /** @throws ScalekitWebhooksConfigurationError if another endpoint has the same name */
  onModuleInit(): void {
    const others = this.#endpoints().filter((endpoint) => endpoint !== this.#endpoint);
    if (others.some(({ name }) => name === this.#endpoint.name)) {
      const message = MESSAGES.endpointTaken('name', this.#endpoint.name);
      throw new ScalekitWebhooksConfigurationError('name', message);
    }
  }

  onApplicationBootstrap(): void {
    const log = new LogWriter(`ScalekitWebhooks:${this.#endpoint.name}`);
    const { endpointReady, endpointWithoutHttp } = MESSAGES;
    log.write('log', this.#host.httpAdapter ? endpointReady(this.#url.path) : endpointWithoutHttp);
    for (const line of this.#handlers.table) log.write('log', line);
    for (const warning of this.#warnings()) log.write('warn', warning);
    this.#inboxChecked = this.#checkInbox(log);
  }

  /** Reports what keeps the inbox from working. Never rejects. Endpoints that share an inbox check it once. */
  async #checkInbox(log: LogWriter): Promise<void> {
    const { inbox, name } = this.#options;
    const sharing = this.#provided<DispatchOptions>(RESOLVED_OPTIONS).filter(
      (other) => other.inbox === inbox,
    );
    if (sharing[0]?.name !== name) return;
    try {
      const ping = Promise.resolve().then(() => inbox.ping());
      if ((await waitAtMost(ping, PING_TIMEOUT_MS)) !== TIMED_OUT) return;
      log.write('warn', MESSAGES.inboxSilent(PING_TIMEOUT_MS / 1000));
    } catch (error) {
      for (const problem of problemsOf(error)) {
        log.write('warn', MESSAGES.inboxUnusable(withoutSecrets(withoutUrls(problem))));
      }
    }
  }

  #warnings(): readonly string[] {
    const names = this.#endpoints().map(({ name }) => name);
    return [
      ...this.#handlers.warnings,
      // Warnings about the whole application come from its first endpoint only.
      ...(names[0] === this.#endpoint.name ? this.#handlers.applicationWarnings(names) : []),
      ...(this.#secrets.hasShortKey ? [MESSAGES.secretIsShort] : []),
    ];
  }

  #endpoints(): EndpointOptions[] {
    return this.#provided<EndpointOptions>(ENDPOINT_OPTIONS);
  }

  /** What each endpoint of the application provides under a token. */
  #provided<Provided>(token: symbol): Provided[] {
    return [...this.#modules.values()].flatMap((module) => {
      const wrapper = module.providers.get(token);
      return wrapper ? [wrapper.instance as Provided] : [];
    });
  }
}

/** What is wrong with the inbox, and what to do. Never throws. */
function problemsOf(error: unknown): readonly string[] {
  try {
    // An InboxUnusableError of either module format.
    const problems: unknown = Reflect.get(Object(error), 'problems');
    if (Array.isArray(problems) && problems.length > 0) return problems.map(String);
  } catch {
    // Otherwise, use its message.
  }
  const { name, message } = toRunError(error);
  return [error instanceof ScalekitWebhooksError ? message : `${name}: ${message}`];
}
