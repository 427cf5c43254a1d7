import { suite } from "./suite.mjs";

suite("worker");
