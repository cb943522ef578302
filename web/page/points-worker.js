// A training beside the page, which stays awake: points come in, {step, loss, way} go out after each step.
import { pointNet } from "./pointnet.js";

onmessage = async ({ data: points }) => {
  for (const news of (await pointNet()).learn(points)) postMessage(news);
};
