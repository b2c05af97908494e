export { ScalekitRecoveryError, type ScalekitRecoveryErrorCode } from '../errors/errors.js';
export {
  getScalekitRecoveryToken,
  InjectScalekitRecovery,
  ScalekitRecoveryModule,
} from './recovery.module.js';
export type {
  RecoverOptions,
  RecoveryResult,
  ScalekitEventsClient,
  ScalekitEventsFilter,
  ScalekitEventsPage,
  ScalekitRecoveryEndpointOptions,
  ScalekitRecoveryOptions,
} from './recovery.options.js';
export { ScalekitRecovery } from './scalekit-recovery.js';
