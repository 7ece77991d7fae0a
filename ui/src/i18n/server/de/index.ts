import { translator } from "../translate";
import chats from "./chats.json";
import conversions from "./conversions.json";
import models from "./models.json";
import others from "./others.json";
import requests from "./requests.json";
import schemas from "./schemas.json";
import settings from "./settings.json";
import sources from "./sources.json";

/** What the server says, in German. `tests/http/ui/test_german.py` holds it against the server's sources. */
export const translate = translator({
  ...chats,
  ...conversions,
  ...models,
  ...others,
  ...requests,
  ...schemas,
  ...settings,
  ...sources,
});
