// A training beside the page, which stays awake: points come in, {step, loss, way} go out after each step.
import { pointNet } from "./pointnet.js";
import { shown } from "./points.js";

onmessage = async ({ data: points }) => {
  const { learn } = await pointNet();
  for (const { way, ...news } of learn(points)) postMessage({ ...news, way: way && shown(way, points) });
};
