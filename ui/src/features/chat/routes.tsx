import { createRoute, lazyRouteComponent, redirect } from "@tanstack/react-router";
import { rootRoute } from "@/app/rootRoute";

/** Which panel is open at the right of the chat. */
const validateSearch = ({ panel }: Record<string, unknown>): { panel?: string } =>
  typeof panel === "string" ? { panel } : {};

export const chatRoutes = [
  createRoute({
    getParentRoute: () => rootRoute,
    path: "/",
    validateSearch,
    component: lazyRouteComponent(() => import("./ChatPage"), "NewChatPage"),
  }),
  createRoute({
    getParentRoute: () => rootRoute,
    path: "/ui/chats/$chatId",
    validateSearch,
    component: lazyRouteComponent(() => import("./ChatPage"), "ChatPage"),
  }),
  createRoute({
    getParentRoute: () => rootRoute,
    path: "/ui",
    beforeLoad: () => {
      throw redirect({ to: "/" });
    },
  }),
] as const;
