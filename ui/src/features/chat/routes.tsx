import { createRoute, lazyRouteComponent, redirect } from "@tanstack/react-router";
import { rootRoute } from "@/app/rootRoute";
import { validateSearch } from "./search";

export const chatRoutes = [
  createRoute({
    getParentRoute: () => rootRoute,
    path: "/",
    validateSearch,
    component: lazyRouteComponent(() => import("./NewChatPage"), "NewChatPage"),
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
