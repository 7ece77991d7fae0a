"""Questions that the small models answer in a way tests can foresee, and tools they are offered."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

QUESTION = "Is the sky blue or green? Answer in one word."
DESCRIBE = "Describe the city of Paris."
HI: list[Any] = [{"role": "user", "content": "Hi, who are you?"}]
SKY: list[Any] = [{"role": "user", "content": QUESTION}]
WEATHER: list[Any] = [{"role": "user", "content": "What is the weather in Paris?"}]
PARIS: list[Any] = [{"role": "user", "content": DESCRIBE}]


class City(BaseModel):
    """Every field is bounded, so that no model can go on for ever."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, Field(max_length=20)]
    continent: Literal["Africa", "America", "Asia", "Australia", "Europe"]
    capital: bool
    rank: Annotated[int, Field(ge=1, le=99)]


CITY: dict[str, Any] = City.model_json_schema()
WEATHER_ARGUMENTS: dict[str, Any] = {
    "type": "object",
    "properties": {"city": {"type": "string", "maxLength": 20}, "unit": {"type": "string", "enum": ["c", "f"]}},
    "required": ["city", "unit"],
    "additionalProperties": False,
}
SUM_ARGUMENTS: dict[str, Any] = {
    "type": "object",
    "properties": {
        "a": {"type": "integer", "minimum": 0, "maximum": 99},
        "b": {"type": "integer", "minimum": 0, "maximum": 99},
    },
    "required": ["a", "b"],
    "additionalProperties": False,
}


def get_weather(city: str, unit: str) -> str:
    """The weather of a city."""
    return f"It is snowing in {city}, -3 degrees {unit}."


def openai_tool(name: str, description: str, parameters: dict[str, Any]) -> Any:
    return {"type": "function", "function": {"name": name, "description": description, "parameters": parameters}}


TOOLS: list[Any] = [
    openai_tool("get_weather", "The weather of a city", WEATHER_ARGUMENTS),
    openai_tool("add", "The sum of two numbers", SUM_ARGUMENTS),
]
