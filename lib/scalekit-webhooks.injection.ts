import { Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import { ModulesContainer } from '@nestjs/core';
import { injectedTokens } from './dispatch/nest-internals.js';
import { ScalekitEventDispatcher } from './dispatch/scalekit-event.dispatcher.js';
import { ScalekitWebhooksConfigurationError } from './errors/errors.js';
import {
  DEFAULT_NAME,
  ENDPOINT_OPTIONS,
  type EndpointOptions,
  requireEndpointName,
} from './receive/receive.options.js';
import { ScalekitInbox } from './replay/scalekit-inbox.js';

/**
 * Injection token of the options that you pass to `forRoot`, or that the factory of `forRootAsync` returns. In a test, use
 * it with `overrideProvider`. It replaces the options of every endpoint, but not `path`, `name`, `controllerDecorators` and
 * `isGlobal`.
 *
 * @example
 * ```ts
 * Test.createTestingModule({ imports: [AppModule] })
 *   .overrideProvider(SCALEKIT_WEBHOOKS_OPTIONS)
 *   .useValue({ signingSecret: 'whsec_…' });
 * ```
 */
export const SCALEKIT_WEBHOOKS_OPTIONS: unique symbol = Symbol.for('nestjs-scalekit-webhooks:given-options');

/**
 * Injection token of the {@link ScalekitInbox} of one endpoint.
 *
 * @param name the endpoint's `name`. Default: `'default'`
 * @throws ScalekitWebhooksConfigurationError when it cannot be the name of an endpoint
 */
export function getScalekitInboxToken(name: string = DEFAULT_NAME): symbol {
  requireEndpointName('name', name);
  return Symbol.for(`nestjs-scalekit-webhooks:inbox:${name}`);
}

/**
 * Injection token of the {@link ScalekitEventDispatcher} of one endpoint.
 *
 * @param name the endpoint's `name`. Default: `'default'`
 * @throws ScalekitWebhooksConfigurationError when it cannot be the name of an endpoint
 */
export function getScalekitDispatcherToken(name: string = DEFAULT_NAME): symbol {
  requireEndpointName('name', name);
  return Symbol.for(`nestjs-scalekit-webhooks:dispatcher:${name}`);
}

/**
 * Injects the {@link ScalekitInbox} of one endpoint. Use it where several endpoints are imported.
 *
 * @param name the endpoint's `name`. Default: `'default'`
 * @example constructor(@InjectScalekitInbox('live') private readonly inbox: ScalekitInbox) {}
 */
export function InjectScalekitInbox(name?: string): PropertyDecorator & ParameterDecorator {
  return Inject(getScalekitInboxToken(name));
}

/**
 * Injects the {@link ScalekitEventDispatcher} of one endpoint. Use it where several endpoints are imported.
 *
 * @param name the endpoint's `name`. Default: `'default'`
 * @example constructor(@InjectScalekitDispatcher('live') private readonly dispatcher: ScalekitEventDispatcher) {}
 */
export function InjectScalekitDispatcher(name?: string): PropertyDecorator & ParameterDecorator {
  return Inject(getScalekitDispatcherToken(name));
}

type Module = ReturnType<ModulesContainer['values']> extends Iterable<infer M> ? M : never;

/** How to inject each class of an endpoint by the endpoint's name. Written as text, because class names can be minified. */
const BY_CLASS = new Map<unknown, { readonly className: string; readonly decorator: string }>([
  [ScalekitInbox, { className: 'ScalekitInbox', decorator: 'InjectScalekitInbox' }],
  [ScalekitEventDispatcher, { className: 'ScalekitEventDispatcher', decorator: 'InjectScalekitDispatcher' }],
]);

/**
 * Refuses to inject `ScalekitInbox` or `ScalekitEventDispatcher` by its class where it could belong to several endpoints.
 */
@Injectable()
export class InjectionCheck implements OnModuleInit {
  constructor(@Inject(ModulesContainer) private readonly modules: ModulesContainer) {}

  /** @throws ScalekitWebhooksConfigurationError that names the class and the fix */
  onModuleInit(): void {
    for (const module of this.modules.values()) {
      const [one, other] = endpointsVisibleIn(module);
      if (one === undefined || other === undefined) continue;
      const { providers, controllers, injectables } = module;
      for (const wrapper of [providers, controllers, injectables].flatMap((some) => [...some.values()])) {
        const [injected] = injectedTokens(wrapper).flatMap((token) => BY_CLASS.get(token) ?? []);
        if (!injected) continue;
        const { className, decorator } = injected;
        const message = MESSAGES.ambiguous(String(wrapper.name), className, decorator, [one, other]);
        throw new ScalekitWebhooksConfigurationError('name', message);
      }
    }
  }
}

/** The names of the endpoints whose inbox and dispatcher Nest finds for the providers of a module. */
function endpointsVisibleIn(module: Module): readonly string[] {
  // A module that provides the class itself uses its own.
  if (module.providers.has(ScalekitInbox)) return [];
  return [...new Set([...module.imports].flatMap((imported) => endpointsExportedBy(imported, new Set())))];
}

function endpointsExportedBy(module: Module, seen: Set<Module>): string[] {
  if (seen.has(module)) return [];
  seen.add(module);
  const endpoint = module.providers.get(ENDPOINT_OPTIONS)?.instance as EndpointOptions | undefined;
  if (endpoint) return [endpoint.name];
  const exported = [...module.imports].filter(({ metatype }) => module.exports.has(metatype));
  return exported.flatMap((imported) => endpointsExportedBy(imported, seen));
}

const MESSAGES = {
  ambiguous: (consumer: string, injected: string, decorator: string, [one, other]: readonly string[]) =>
    `${consumer} injects ${injected} by its class, but its module imports the endpoints "${one}" and "${other}", which each have one. Name the endpoint: @${decorator}('${one}').`,
} as const;
