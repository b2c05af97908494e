/**
 * The two ways in which Scalekit signs a delivery:
 *
 * - `standard`: the Standard Webhooks headers `webhook-id`, `webhook-timestamp` and `webhook-signature`
 * - `scalekit`: the one header `scalekit-signature: t=…,v1=…`
 */
export type SignatureScheme = 'standard' | 'scalekit';
