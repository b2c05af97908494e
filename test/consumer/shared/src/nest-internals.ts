import 'reflect-metadata';
import {
  ConsoleLogger,
  Controller,
  Inject,
  Logger,
  Optional,
  Post,
  VERSION_NEUTRAL,
  VersioningType,
} from '@nestjs/common';
import * as constants from '@nestjs/common/constants.js';
import { ApplicationConfig, ExternalContextCreator, ModulesContainer, NestContainer } from '@nestjs/core';
import { ExternalExceptionsHandler } from '@nestjs/core/exceptions/external-exceptions-handler.js';
import { STATIC_CONTEXT } from '@nestjs/core/injector/constants.js';
import { InstanceWrapper } from '@nestjs/core/injector/instance-wrapper.js';
import { Module as NestModule } from '@nestjs/core/injector/module.js';
import { ParamsTokenFactory } from '@nestjs/core/pipes/params-token-factory.js';
import { RoutePathFactory } from '@nestjs/core/router/route-path-factory.js';

@Controller({ path: 'hooks', host: 'host', version: VERSION_NEUTRAL })
class Hooks {
  @Post()
  receive() {}
}

class Injecting {
  @Inject('property')
  readonly property: unknown;

  constructor(@Optional() @Inject('parameter') readonly parameter: Logger) {}
}

/** The parts of Nest outside its public API that `lib/dispatch/nest-internals.ts` uses, and whether Nest still has them. */
export function nestInternals(): Record<string, boolean> {
  let asked = false;
  class AskedContainer extends NestContainer {
    override getModules(): ModulesContainer {
      asked = true;
      return new ModulesContainer();
    }
  }
  const creator = ExternalContextCreator.fromContainer(new AskedContainer());
  const tokens = new ParamsTokenFactory();
  const customParameter: number = 99;
  const paths = new RoutePathFactory(new ApplicationConfig());
  const route = { ctrlPath: '/hooks', methodPath: '/', modulePath: '/moved', globalPrefix: '/api' };
  const versioningOptions = { type: VersioningType.URI } as const;
  const module = new NestModule(class AnyModule {}, new NestContainer());
  module.distance = -1;
  const json = new ConsoleLogger({ json: true });
  return {
    'constants.EXCEPTION_FILTERS_METADATA': typeof constants.EXCEPTION_FILTERS_METADATA === 'string',
    'constants.GUARDS_METADATA': typeof constants.GUARDS_METADATA === 'string',
    'constants.INTERCEPTORS_METADATA': typeof constants.INTERCEPTORS_METADATA === 'string',
    'constants name what a class injects': [
      constants.PARAMTYPES_METADATA,
      constants.SELF_DECLARED_DEPS_METADATA,
      constants.PROPERTY_DEPS_METADATA,
    ].every((key) => Array.isArray(Reflect.getMetadata(key, Injecting))),
    'constants.PIPES_METADATA': typeof constants.PIPES_METADATA === 'string',
    'ConsoleLogger#options.json': Reflect.get(json, 'options')?.json === true,
    'ExternalContextCreator.fromContainer asks NestContainer#getModules': asked,
    'ExternalContextCreator#getContextModuleKey': typeof creator.getContextModuleKey === 'function',
    'ExternalContextCreator#filtersContextCreator':
      typeof Reflect.get(creator, 'filtersContextCreator')?.create === 'function',
    'ExternalExceptionsHandler#invokeCustomFilters':
      typeof ExternalExceptionsHandler.prototype.invokeCustomFilters === 'function',
    'ExternalContextCreator#transformToResult': typeof creator.transformToResult === 'function',
    'InstanceWrapper tells whether its instance is resolved':
      new InstanceWrapper({ instance: {}, isResolved: true }).getInstanceByContextId(STATIC_CONTEXT)
        .isResolved === true,
    'Logger#localInstance': 'localInstance' in Logger.prototype,
    'Module#distance can be set': module.distance === -1,
    'constants.PATH_METADATA': Reflect.getMetadata(constants.PATH_METADATA, Hooks) === 'hooks',
    'constants.METHOD_METADATA': Reflect.hasMetadata(constants.METHOD_METADATA, Hooks.prototype.receive),
    'constants.HOST_METADATA': Reflect.getMetadata(constants.HOST_METADATA, Hooks) === 'host',
    'constants.VERSION_METADATA': Reflect.getMetadata(constants.VERSION_METADATA, Hooks) === VERSION_NEUTRAL,
    'constants.MODULE_PATH': typeof constants.MODULE_PATH === 'string',
    'ModulesContainer#applicationId': typeof new ModulesContainer().applicationId === 'string',
    'RoutePathFactory#create': paths.create(route, 1).join() === '/api/moved/hooks',
    'RoutePathFactory#create with a version':
      paths.create({ ...route, controllerVersion: '1', versioningOptions }, 1).join() ===
      '/api/v1/moved/hooks',
    'ParamsTokenFactory: parameter 3 is the body': tokens.exchangeEnumForString(3) === 'body',
    'ParamsTokenFactory: parameter 99 is custom': tokens.exchangeEnumForString(customParameter) === 'custom',
  };
}
