/** The library's public face. Nobody inside `node/` imports it. */
export type { NodeReady, NodeRole, NodeRuntime, OpenNodeOptions, RunningNode } from './api/runtime.ts'
export type * from './api/service.ts'
export { type ProvenDrop, verifyProof } from './delivery/relay-proof.ts'
export { KithError } from './errors.ts'
export { KithNode, type NodeOptions } from './node.ts'
export { runtime } from './open-node.ts'
export type * from './ports.ts'
export { KithRelay, type RelayOptions } from './relay.ts'
