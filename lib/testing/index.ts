export {
  type CreateScalekitEventOptions,
  createScalekitEvent,
  type ScalekitEventOverrides,
} from '../samples/create-scalekit-event.js';
export { type SignWebhookOptions, signWebhook } from '../verify/signature.js';
export { describeInboxStore } from './conformance/inbox-store.conformance.js';
export type {
  ConformanceExpect,
  ConformanceMatchers,
  ConformanceRunner,
  InboxStoreHarness,
  OpenTransaction,
} from './conformance/inbox-store.harness.js';
export { type CreateScalekitDeliveryOptions, createScalekitDelivery } from './create-scalekit-delivery.js';
export {
  ScalekitDeliverySimulator,
  type SimulatedEvent,
  type SimulatedState,
  type SimulationReport,
  type SimulationTotals,
} from './delivery-simulator.js';
export {
  type DeliverySchedule,
  SCALEKIT_SCHEDULES,
  type ScalekitDeliverySimulatorOptions,
  type SimulatedAttempt,
  type SimulatedStatus,
} from './delivery-simulator.options.js';
export type { SimulatedPayload } from './delivery-simulator.run.js';
export {
  ScalekitWebhookTester,
  type ScalekitWebhookTesterOptions,
  type TestDeliveryAnswer,
  type TestDeliveryOptions,
  type TestDeliveryPayload,
} from './scalekit-webhook.tester.js';
export {
  type EventsApiFault,
  SimulatedEventsApi,
  type SimulatedEventsApiOptions,
} from './simulated-events-api.js';
export type {
  ApiEvent,
  ApiTime,
  EventsApiPage,
  EventsApiRequest,
  EventsApiRequestFilter,
  ListeningEventsApi,
} from './simulated-events-api.server.js';
export type { SimulatedSecret } from './tested-endpoint.js';
