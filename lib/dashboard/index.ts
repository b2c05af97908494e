import {
  applyDecorators,
  ConfigurableModuleBuilder,
  type DynamicModule,
  Module,
  UseGuards,
} from '@nestjs/common';
import { createDashboardController } from './dashboard.controller.js';
import {
  checkForRoot,
  checkForRootAsync,
  DASHBOARD_OPTIONS,
  DashboardEndpoints,
  resolveDashboardOptions,
  type ScalekitDashboardOptions,
  type ScalekitDashboardRouteOptions,
} from './dashboard.setup.js';

export type { ScalekitDashboardOptions, ScalekitDashboardRouteOptions } from './dashboard.setup.js';

const DEFAULT_PATH = 'admin/webhooks';
// `imports` is not among them: it belongs to every asynchronous module.
const ROUTE_DEFAULTS: Omit<ScalekitDashboardRouteOptions, 'imports'> = {
  path: undefined,
  guards: undefined,
  unsafeWithoutGuard: undefined,
  controllerDecorators: undefined,
};

const { ConfigurableModuleClass, MODULE_OPTIONS_TOKEN, ASYNC_OPTIONS_TYPE } =
  new ConfigurableModuleBuilder<ScalekitDashboardOptions>({ moduleName: 'ScalekitDashboard' })
    .setClassMethodName('forRoot')
    .setFactoryMethodName('createScalekitDashboardOptions')
    .setExtras(ROUTE_DEFAULTS, withController)
    .build();

/**
 * Web pages for operators: what each endpoint's inbox contains, and buttons to replay, dismiss, pause and resume. Import it
 * once, next to `ScalekitWebhooksModule`; it finds all endpoints of the application.
 *
 * @example
 * ```ts
 * ScalekitDashboardModule.forRoot({ path: 'admin/webhooks', guards: [AdminGuard] });
 * ```
 */
@Module({ providers: [DashboardEndpoints] })
export class ScalekitDashboardModule extends ConfigurableModuleClass {
  /**
   * @param options `guards` is required, unless `unsafeWithoutGuard` is true
   * @throws ScalekitWebhooksConfigurationError if an option is unknown or invalid, or there are no guards
   */
  static override forRoot(options: ScalekitDashboardOptions & ScalekitDashboardRouteOptions): DynamicModule {
    const { canReadPayload, imports = [], ...route } = checkForRoot(options);
    const useFactory = () => ({ ...(canReadPayload && { canReadPayload }) });
    return super.forRootAsync({ ...route, imports, useFactory });
  }

  /**
   * @param options `path`, `guards`, `unsafeWithoutGuard` and `controllerDecorators` go here, next to the factory
   * @throws ScalekitWebhooksConfigurationError if an option is unknown or invalid, or there are no guards. What the factory
   *   returns is checked at startup
   */
  static override forRootAsync(options: typeof ASYNC_OPTIONS_TYPE): DynamicModule {
    return super.forRootAsync(checkForRootAsync(options));
  }
}

function withController(definition: DynamicModule, route: typeof ROUTE_DEFAULTS): DynamicModule {
  const { path = DEFAULT_PATH, guards = [], controllerDecorators = [] } = route;
  const controller = createDashboardController(path);
  applyDecorators(UseGuards(...guards), ...controllerDecorators)(controller);
  return {
    ...definition,
    controllers: [controller],
    providers: [
      ...(definition.providers ?? []),
      { provide: DASHBOARD_OPTIONS, useFactory: resolveDashboardOptions, inject: [MODULE_OPTIONS_TOKEN] },
    ],
  };
}
