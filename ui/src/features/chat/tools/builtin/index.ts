import type { Tool } from "../tool";
import { calculator } from "./calculator";
import { clock } from "./clock";
import { fetchPage } from "./fetchPage";

/** The tools that the application brings. */
export const BUILT_IN: readonly Tool[] = [calculator, clock, fetchPage];
