export {
  type CreateScalekitEventOptions,
  createScalekitEvent,
  type ScalekitEventOverrides,
} from './create-scalekit-event.js';
export {
  ScalekitWebhookTester,
  type ScalekitWebhookTesterOptions,
  type TestDeliveryAnswer,
  type TestDeliveryOptions,
  type TestDeliveryPayload,
} from './scalekit-webhook.tester.js';
export { type SignWebhookOptions, signWebhook } from './sign-webhook.js';
