export type {
  ConformanceExpect,
  ConformanceMatchers,
  ConformanceRunner,
} from './conformance/conformance-runner.js';
export type { InboxStoreHarness } from './conformance/inbox-store.bench.js';
export { describeInboxStore } from './conformance/inbox-store.conformance.js';
export {
  type CreateScalekitEventOptions,
  createScalekitEvent,
  type ScalekitEventOverrides,
} from './create-scalekit-event.js';
export { ScalekitDeliverySimulator } from './delivery-simulator.js';
export type { ScalekitDeliverySimulatorOptions } from './delivery-simulator.options.js';
export type {
  SimulatedAttempt,
  SimulatedEvent,
  SimulatedState,
  SimulatedStatus,
  SimulationReport,
  SimulationTotals,
} from './delivery-simulator.report.js';
export type { SimulatedPayload } from './delivery-simulator.run.js';
export { type DeliverySchedule, SCALEKIT_SCHEDULES } from './delivery-simulator.schedule.js';
export type { SimulatedSecret } from './delivery-simulator.secrets.js';
export {
  ScalekitWebhookTester,
  type ScalekitWebhookTesterOptions,
  type TestDeliveryAnswer,
  type TestDeliveryOptions,
  type TestDeliveryPayload,
} from './scalekit-webhook.tester.js';
export { type SignWebhookOptions, signWebhook } from './sign-webhook.js';
